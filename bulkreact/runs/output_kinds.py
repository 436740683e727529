"""The kinds of files that commands write."""

from enum import StrEnum


class OutputKind(StrEnum):
    """What an option writes, in the words of messages."""

    RESULTS = "a results file"
    METRICS = "a metrics file"
    PLAN = "a plan"
    DISCOVERY = "a file that discover has written"
    TEMPLATE = "an empty template"
    RESULTS_FOLDER = "a folder of results"
    SUMMARY = "a run's summary"
    REPORT = "a run's report"
    ROWS = "the rows of a plan"
    PLAN_FOLDER = "a folder of a plan"
    PROGRESS = "a report of progress"
    CONTROL_FOLDER = "a folder through which a process is watched"
