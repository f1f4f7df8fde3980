"""Words of Keras that objects of fnet.keras do not have, and what does their work."""

from __future__ import annotations

from collections.abc import Mapping

_PURE = "net, params, state = model.functional, model.params, model.state; y, state = net.apply(params, state, x)"
_TREES = "model.params and model.state are the trees; model.take(params, state) holds others"
_SPEC = "compute_output_shape(shape) says the shape of the output, compute_mask that of the mask"
_HALVES = "layers compute in float32: layer.dtype; fnet.precision says how exact products are"
_TORCH = "gradients are those of functions: loss, gradients = self.value_and_grad(loss_of_batch)"
_STEPS = "steps are compiled by fit; override train_step, test_step or predict_step"
_WHOLE = "model.save(path) writes weights, layers and the training"

OF_LAYERS: Mapping[str, str] = {
    "stateless_call": _PURE,
    "stateless_compute_loss": _PURE,
    "get_state_tree": _TREES,
    "set_state_tree": _TREES,
    "compute_output_spec": _SPEC,
    "symbolic_call": _SPEC,
    "dtype_policy": _HALVES,
    "autocast": _HALVES,
    "quantize": _HALVES,
    "quantization_mode": _HALVES,
    "half": _HALVES,
    "enable_lora": "layers have no low-rank weights: set layer.trainable = False, and add a layer of your own",
    "zero_grad": _TORCH,
    "backward": _TORCH,
    "parameters": "weights are model.trainable_variables",
    "add_metric": "fit counts what compile(metrics=[...]) says, and metrics of train_step",
    "add_update": "call assigns to weights that are not trainable: self.count.assign_add(1)",
    "make_train_function": _STEPS,
    "make_test_function": _STEPS,
    "make_predict_function": _STEPS,
    "train_function": _STEPS,
    "test_function": _STEPS,
    "predict_function": _STEPS,
    "run_eagerly": _STEPS,
    "export": _WHOLE,
    "get_compile_config": _WHOLE,
    "compile_from_config": _WHOLE,
    "save_own_variables": _WHOLE,
    "load_own_variables": _WHOLE,
    "fit_generator": "fit takes a generator: model.fit(batches, steps_per_epoch=...)",
    "evaluate_generator": "evaluate takes a generator: model.evaluate(batches, steps=...)",
    "predict_generator": "predict takes a generator: model.predict(batches, steps=...)",
    "predict_classes": "model.predict(x).argmax(-1) are the classes",
    "predict_proba": "model.predict(x) are the probabilities",
}

OF_OPTIMIZERS: Mapping[str, str] = {
    "minimize": "loss, gradients = fnet.keras.value_and_grad(loss_of_batch, variables); optimizer.apply(gradients)",
    "stateless_apply": "optimizer.functional is the pair (init, update) of pure functions",
    "scale_loss": "no number has 16 bits, so no loss is scaled",
    "set_weights": "model.save and load_model keep what an optimizer remembers",
    "get_weights": "model.optimizer_weights are the arrays that it remembers",
    "add_variable": "make a rule of your own with fnet.optimizers.Optimizer(init, update)",
    "update_step": "make a rule of your own with fnet.optimizers.Optimizer(init, update)",
    "get_updates": "optimizer.apply(gradients, variables) changes the weights",
}


def instead(words: Mapping[str, str], name: str) -> str | None:
    """What an error says of a word of Keras; None for any other."""
    return f" fnet has another way: {words[name]}." if name in words else None
