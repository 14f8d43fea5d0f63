"""The gRPC side of the stand-in."""

from concurrent import futures

import grpc

from tests.serving.standin import messages
from tests.serving.standin.failed import Failed
from tests.serving.standin.models import metadata, status

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_THREADS = 16


def rpc_server(models, port):
    """A gRPC server, begun, and its port."""

    def method(answer, request):
        def answered(message, context):
            try:
                return answer(message)
            except Failed as failure:
                context.abort(_CODES[failure.code], str(failure))

        return grpc.unary_unary_rpc_method_handler(
            answered,
            request_deserializer=request.FromString,
            response_serializer=lambda found: found.SerializeToString(),
        )

    services = {
        "PredictionService": {
            "Predict": method(models.predict, messages.PredictRequest),
            "GetModelMetadata": method(lambda asked: metadata(models, asked), messages.GetModelMetadataRequest),
        },
        "ModelService": {"GetModelStatus": method(lambda asked: status(models, asked), messages.GetModelStatusRequest)},
    }
    limit = ("grpc.max_receive_message_length", 2**31 - 1)  # TensorFlow Serving's own
    server = grpc.server(futures.ThreadPoolExecutor(_THREADS), options=[limit])
    for name, methods in services.items():
        handler = grpc.method_handlers_generic_handler(f"tensorflow.serving.{name}", methods)
        server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, port
