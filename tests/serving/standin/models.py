"""Versions of a model below its base path, which of them are served, and what is asked of them."""

import pathlib
import struct
import threading

from tests.serving.standin.batching import Batching
from tests.serving.standin.failed import Failed
from tests.serving.standin.messages import (
    GetModelMetadataResponse,
    GetModelStatusResponse,
    PredictionLog,
    PredictResponse,
    SignatureDefMap,
)
from tests.serving.standin.tensors import invalid, to_array, to_proto

NOT_FOUND, FAILED_PRECONDITION, DATA_LOSS = 5, 9, 15
_AVAILABLE = 30
DEFAULT_SIGNATURE = "serving_default"
WARMUP = "assets.extra/tf_serving_warmup_requests"
_MOST_WARMUP_RECORDS = 1000


class Model:
    """One entry of a `models.config`.

    Args:
      config: `ModelConfig`: name, base path, version policy (the newest, by default), labels.
      load: a bundle's folder -> what has `signatures` and `run`, as `SavedModel`.
      batching: parameters, or None.
      warms_up: whether the requests in a bundle are run when it is loaded.
    """

    def __init__(self, config, load, batching=None, warms_up=True):
        self.config, self.load, self.batching, self.warms_up = config, load, batching, warms_up
        self.versions, self.lock = {}, threading.Lock()

    def poll(self):
        """Loads what is new below the base path, then forgets what is served no more."""
        wanted = self._wanted()
        for version in sorted(wanted - set(self.versions)):
            loaded = self._loaded(version)
            with self.lock:
                self.versions[version] = loaded
        with self.lock:
            self.versions = {version: self.versions[version] for version in sorted(wanted)}

    def _wanted(self):
        """Version numbers by the policy."""
        base = pathlib.Path(self.config.base_path)
        found = sorted(int(path.name) for path in base.glob("*") if path.name.isdigit() and path.is_dir())
        policy = self.config.model_version_policy
        if policy.HasField("all"):
            return set(found)
        if policy.HasField("specific"):
            return set(found) & set(policy.specific.versions)
        return set(found[-(policy.latest.num_versions or 1) :])

    def _loaded(self, version):
        path = pathlib.Path(self.config.base_path) / str(version)
        model = self.load(path)
        served = Batching(model, self.batching) if self.batching else model
        if self.warms_up and (path / WARMUP).exists():
            records = list(read_records(path / WARMUP))
            if len(records) > _MOST_WARMUP_RECORDS:
                raise invalid(f"Number of warmup records exceeeds the maximum ({_MOST_WARMUP_RECORDS})")
            for record in records:
                log = PredictionLog.FromString(record)
                if not log.HasField("predict_log"):
                    raise invalid("a warm-up record that is no predict_log")
                predict(served, log.predict_log.request)
        return served

    def find(self, spec):
        """(version, bundle) of a ModelSpec: a version, a label, or the newest."""
        with self.lock:
            versions = dict(self.versions)
        if spec.version_label:
            if spec.version_label not in self.config.version_labels:
                raise invalid(f"Unrecognized servable version label: {spec.version_label}")
            version = self.config.version_labels[spec.version_label]
        elif spec.HasField("version"):
            version = spec.version.value
        else:
            version = max(versions, default=None)
        if version not in versions:
            asked = f"Latest({spec.name})" if version is None else f"Specific({spec.name}, {version})"
            raise Failed(NOT_FOUND, f"Servable not found for request: {asked}")
        return version, versions[version]


class Models:
    """All models of a server, by name."""

    def __init__(self, configs, load, batching=None, warms_up=True):
        self.models = {config.name: Model(config, load, batching, warms_up) for config in configs}

    def poll(self):
        for model in self.models.values():
            model.poll()

    def model(self, name):
        if name not in self.models:
            raise Failed(NOT_FOUND, f"Servable not found for request: Latest({name})")
        return self.models[name]

    def find(self, spec):
        return self.model(spec.name).find(spec)

    def predict(self, request):
        """A PredictRequest's PredictResponse."""
        spec = request.model_spec
        version, served = self.find(spec)
        response = PredictResponse()
        for name, array in predict(served, request).items():
            response.outputs[name].CopyFrom(to_proto(array))
        response.model_spec.name = spec.name
        response.model_spec.version.value = version
        response.model_spec.signature_name = spec.signature_name or DEFAULT_SIGNATURE
        return response


def predict(served, request):
    """Output name -> array, of a PredictRequest to one bundle."""
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    if name not in served.signatures:
        raise Failed(FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
    signature = served.signatures[name]
    given, wanted = set(request.inputs), set(signature.inputs)
    if given - wanted or wanted - given - set(signature.defaults):
        raise invalid(
            f"input size does not match signature: {len(given)}!={len(wanted)}. "
            f"Sent extra: {sorted(given - wanted)}. Missing but required: {sorted(wanted - given)}."
        )
    tensors = {key: request.inputs[key] if key in given else signature.defaults[key] for key in sorted(wanted)}
    feeds = {signature.inputs[key].name: to_array(key, tensor) for key, tensor in tensors.items()}
    outputs = list(request.output_filter) or sorted(signature.outputs)
    if strange := set(outputs) - set(signature.outputs):
        raise invalid(f"output tensor alias not found in signature: {strange.pop()}")
    return dict(zip(outputs, served.run(feeds, [signature.outputs[key].name for key in outputs]), strict=True))


def metadata(models, request):
    """GetModelMetadataResponse: the signatures, packed as there."""
    if list(request.metadata_field) != ["signature_def"]:
        raise invalid(f"Metadata field {list(request.metadata_field)} is not supported")
    version, served = models.find(request.model_spec)
    response, signatures = GetModelMetadataResponse(), SignatureDefMap()
    for name, signature in served.signatures.items():
        signatures.signature_def[name].CopyFrom(signature)
    response.model_spec.name = request.model_spec.name
    response.model_spec.version.value = version
    response.metadata["signature_def"].Pack(signatures)
    return response


def status(models, request):
    """GetModelStatusResponse: of all versions, newest first, or of the one that is asked for."""
    spec, response = request.model_spec, GetModelStatusResponse()
    versions = models.model(spec.name).versions
    if spec.version_label or spec.HasField("version"):
        versions = [models.find(spec)[0]]
    if not versions:
        raise Failed(NOT_FOUND, f"Could not find any versions of model {spec.name}")
    for version in sorted(versions, reverse=True):
        response.model_version_status.add(version=version, state=_AVAILABLE).status.SetInParent()
    return response


def read_records(path):
    """The records of a TFRecord file, whose checksums hold."""
    with open(path, "rb") as file:
        while head := file.read(12):
            length, checksum = struct.unpack("<QI", head)
            data, foot = file.read(length), file.read(4)
            if masked_crc(head[:8]) != checksum or len(foot) != 4 or masked_crc(data) != struct.unpack("<I", foot)[0]:
                raise Failed(DATA_LOSS, f"corrupted record in {path}")
            yield data


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


_TABLE = _crc_table()


def masked_crc(data):
    """CRC-32C as TFRecord files have it."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
