"""Results go into the file: checked, compared with the predictions on record, and written."""

from .prequential import alarm, compare
from .results import RefusedRowsError, TellResult, check_results


def take_in(store, results, refused, replace, source):
    """Write results in one transaction; RefusedRowsError if some were refused, now or before."""
    with store.writing() as ledger:
        found = check_results(results, ledger.state, replace, ledger.formulas)
        content = compare(ledger, found, source)
        if found.labels or found.failed:
            ledger.append("tell", content)
    refused = [*refused, *found.refused]
    refused.sort(key=lambda r: -1 if r.line is None else r.line)
    new, failed = list(found.labels), list(found.failed)
    told = TellResult(new, failed, found.repeated, refused, alarm(content["estimates"]))
    if refused:
        raise RefusedRowsError(told)
    return told
