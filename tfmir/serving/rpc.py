"""The gRPC side of TensorFlow Serving's API, with messages of our own: see `wire.py`."""

from __future__ import annotations

from typing import Any

import grpc

from tfmir.serving import wire
from tfmir.serving.transport import Arrays, Inputs, Metadata, Model, ServerError


class Grpc:
    """The protocol-buffer side."""

    def __init__(self, target: str, *, secure: bool, through_proxy: bool):
        options = [
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", -1),
            ("grpc.enable_http_proxy", int(through_proxy)),
            ("grpc.initial_reconnect_backoff_ms", 100),
            ("grpc.min_reconnect_backoff_ms", 100),
            ("grpc.max_reconnect_backoff_ms", 2000),  # two minutes is gRPC's own: a rollout would be over
        ]
        credentials = grpc.ssl_channel_credentials() if secure else None
        self.channel = (
            grpc.secure_channel(target, credentials, options) if secure else grpc.insecure_channel(target, options)
        )
        self.methods = {
            name: self.channel.unary_unary(
                f"/tensorflow.serving.{service}/{name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=response.FromString,
            )
            for service, name, response in (
                ("PredictionService", "Predict", wire.PredictResponse),
                ("PredictionService", "GetModelMetadata", wire.GetModelMetadataResponse),
                ("ModelService", "GetModelStatus", wire.GetModelStatusResponse),
            )
        }

    def predict(self, model: Model, signature: str, inputs: Inputs, timeout_s: float) -> Arrays:
        """See `Transport`. Every output is asked for: a filter would keep the server from merging requests."""
        request = wire.PredictRequest(model_spec=_spec(model, signature))
        for name, value in inputs.items():
            request.inputs[name].CopyFrom(wire.to_tensor(value))
        outputs = self._ask("Predict", request, timeout_s).outputs
        return {name: wire.to_array(outputs[name]) for name in outputs}

    def metadata(self, model: Model, timeout_s: float) -> Metadata:
        """See `Transport`."""
        request = wire.GetModelMetadataRequest(model_spec=_spec(model), metadata_field=["signature_def"])
        found = self._ask("GetModelMetadata", request, timeout_s)
        signatures = wire.SignatureDefMap.FromString(found.metadata["signature_def"].value).signature_def
        inputs = {name: frozenset(signatures[name].inputs) for name in signatures}
        return Metadata(found.model_spec.version.value, inputs)

    def versions(self, name: str, timeout_s: float) -> list[int]:
        """See `Transport`."""
        request = wire.GetModelStatusRequest(model_spec=_spec(Model(name)))
        found = self._ask("GetModelStatus", request, timeout_s).model_version_status
        return sorted(status.version for status in found if status.state == wire.AVAILABLE)

    def close(self) -> None:
        """See `Transport`."""
        self.channel.close()

    def _ask(self, method: str, request: Any, timeout_s: float) -> Any:
        try:
            return self.methods[method](request, timeout=timeout_s)
        except grpc.RpcError as error:
            code, said = error.code().name, error.details() or ""
            if code == "RESOURCE_EXHAUSTED" and "larger than max" in said:  # no pause makes it smaller
                code = "TOO_LARGE"
            raise ServerError(code, said) from error


def _spec(model: Model, signature: str = "") -> Any:
    spec = wire.ModelSpec(name=model.name, signature_name=signature, version_label=model.label)
    if model.version is not None:
        spec.version.value = model.version
    return spec
