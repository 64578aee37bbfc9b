"""One `check_…` for each exercise of the course, by notebook."""

from .apis import check_load_politely
from .blocking import check_io_bound
from .coroutines import check_drive, check_labels
from .event_loop import check_loop, check_polite
from .exceptions import check_load_or_default, check_try_again
from .gather import check_first_result, check_load_and_tell, check_through_all
from .pipelines import check_load_infer_save
from .scaling import check_in_batches
from .semaphores import check_label_all, check_load_per_server
from .serving import check_answer_each

__all__ = [
    "check_answer_each",
    "check_drive",
    "check_first_result",
    "check_in_batches",
    "check_io_bound",
    "check_label_all",
    "check_labels",
    "check_load_and_tell",
    "check_load_infer_save",
    "check_load_or_default",
    "check_load_per_server",
    "check_load_politely",
    "check_loop",
    "check_polite",
    "check_through_all",
    "check_try_again",
]
