from opsapp.kernel.errors import OpsError


class TooManyExports(OpsError):
    code = "too_many_exports"
    message = "You have {most} exports under way already."
    remedy = "Wait until one has ended, or cancel one."


class ExportIsOver(OpsError):
    code = "export_is_over"
    message = "The export is {status} already."
    remedy = "Nothing is left to be stopped."


class NoFile(OpsError):
    code = "export_has_no_file"
    http_status = 410
    message = "There is no file to fetch: the export is {status}."
    remedy = "Export the list again."
