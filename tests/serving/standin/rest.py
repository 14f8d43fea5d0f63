"""The REST side of the stand-in: paths, JSON by row and by column, errors as statuses."""

import http.server
import json
import re

from google.protobuf import json_format

from tests.serving.standin import messages
from tests.serving.standin.failed import Failed
from tests.serving.standin.models import DEFAULT_SIGNATURE, metadata, predict, status
from tests.serving.standin.tensors import as_json, from_json, invalid, is_base64, to_proto

_MODEL = r"/v1/models/([^/:]+)(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
_PREDICT = re.compile(_MODEL + ":predict", re.IGNORECASE)
_ABOUT = re.compile(_MODEL + "(?:/(metadata))?", re.IGNORECASE)
# As http_server.cc: code of gRPC -> status of HTTP.
_STATUSES = {
    1: 499,
    3: 400,
    4: 504,
    5: 404,
    6: 409,
    7: 403,
    8: 429,
    9: 400,
    10: 409,
    11: 400,
    12: 501,
    14: 503,
    16: 401,
}


def rest_server(models, port):
    """A server, not yet begun."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self._answer(lambda: about(models, self.path))

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self._answer(lambda: predicted(models, self.path, body))

        def _answer(self, ask):
            try:
                code, found = 200, ask()
            except Failed as failure:
                code, found = _STATUSES.get(failure.code, 500), {"error": str(failure)}
            data = json.dumps(found).encode()  # NaN and Infinity stand as such, there too
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    return http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)


def _spec(match):
    spec = messages.ModelSpec(name=match[1], version_label=match[3] or "")
    if match[2]:
        spec.version.value = int(match[2])
    return spec


def about(models, path):
    """Metadata, or status."""
    match = _ABOUT.fullmatch(path)
    if not match:
        raise invalid(f"Malformed request: GET {path}")
    spec = _spec(match)
    if not match[4]:
        return json_format.MessageToDict(
            status(models, messages.GetModelStatusRequest(model_spec=spec)), preserving_proto_field_name=True
        )
    found = metadata(models, messages.GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"]))
    signatures = messages.SignatureDefMap.FromString(found.metadata["signature_def"].value)
    as_dict = lambda message: json_format.MessageToDict(message, preserving_proto_field_name=True)  # noqa: E731
    return {"model_spec": as_dict(found.model_spec), "metadata": {"signature_def": as_dict(signatures)}}


def predicted(models, path, body):
    """The answer to a predict request, by row (`instances`) or by column (`inputs`)."""
    match = _PREDICT.fullmatch(path)
    if not match:
        raise invalid(f"Malformed request: POST {path}")
    try:
        asked = json.loads(body)
    except ValueError as error:
        raise invalid(f"JSON Parse error: {error}") from error
    if not isinstance(asked, dict) or len({"instances", "inputs"} & set(asked)) != 1:
        raise invalid("Missing 'inputs' or 'instances' key")
    request = messages.PredictRequest(model_spec=_spec(match))
    request.model_spec.signature_name = asked.get("signature_name", DEFAULT_SIGNATURE)
    _, served = models.find(request.model_spec)
    if request.model_spec.signature_name not in served.signatures:
        raise invalid(f'Serving signature name: "{request.model_spec.signature_name}" not found in signature def')
    infos = served.signatures[request.model_spec.signature_name].inputs
    read = _rows if "instances" in asked else _columns
    for name, array in read(asked.get("instances", asked.get("inputs")), infos).items():
        request.inputs[name].CopyFrom(to_proto(array))
    outputs = predict(served, request)
    if "inputs" in asked:
        values = {name: as_json(name, array) for name, array in outputs.items()}
        return {"outputs": values if len(values) > 1 else next(iter(values.values()))}
    rows = [
        {name: as_json(name, array[row : row + 1])[0] for name, array in outputs.items()} for row in _batch(outputs)
    ]
    return {"predictions": rows if len(outputs) > 1 else [next(iter(row.values())) for row in rows]}


def _batch(outputs):
    sizes = {len(array) for array in outputs.values()}
    if len(sizes) != 1:
        raise invalid("outputs have inconsistent batch sizes")
    return range(sizes.pop())


def _columns(value, infos):
    if not isinstance(value, dict) or is_base64(value):
        if len(infos) > 1:
            raise invalid("inputs is a plain value/list, but expecting an object as multiple input tensors required")
        return {name: from_json(value, info.dtype) for name, info in infos.items()}
    if missing := set(infos) - set(value):
        raise invalid(f"Missing named input: {missing.pop()} in 'inputs' object.")
    return {name: from_json(value[name], info.dtype) for name, info in infos.items()}


def _rows(instances, infos):
    if not isinstance(instances, list) or not instances:
        raise invalid("No values in 'instances' array")
    named = isinstance(instances[0], dict) and not is_base64(instances[0])
    if not named and len(infos) > 1:
        raise invalid("instances is a plain list, but expecting list of objects as multiple input tensors required")
    if not named:
        instances = [{name: item} for item in instances for name in infos]
    for number, item in enumerate(instances):
        if not isinstance(item, dict) or set(item) != set(infos):
            raise invalid(f"Failed to process element: {number} keys must be equal to: {','.join(infos)}")
    try:
        return {name: from_json([item[name] for item in instances], info.dtype) for name, info in infos.items()}
    except Failed as failure:
        raise invalid(f"Failed to process element of 'instances' list. Error: {failure}") from failure
