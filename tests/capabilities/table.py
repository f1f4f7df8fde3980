"""What tutorials teach, each with the way in functions, the words of Keras, and the tests that prove it.

A way that says "(text)" is a statement of the tutorials without a call. A test is ``file::name`` below tests/.
"""

from __future__ import annotations

from dataclasses import dataclass

BUILD, LAYER, TRAIN = (f"capabilities/test_{name}.py::test_" for name in ("construction", "layers", "training"))
WORDS, LISTING = "keras/test_words.py::test_", "keras/test_tutorials.py::test_a_listing_runs_with_another_import"
BESIDE = "keras/test_tutorials.py::test_a_listing_does_what_it_does_with_keras"
GOLDEN, EXAMPLE = "losses/test_golden.py::test_values_recorded_from_keras", "test_examples.py::test_an_example_"
REACHED, TENSORBOARD = f"{EXAMPLE}reaches_the_result_that_it_states", "callbacks/test_tensorboard.py::test_"


@dataclass(frozen=True)
class Capability:
    """One thing that tutorials teach."""

    name: str
    functional: str
    keras: str
    tests: tuple[str, ...]


def _row(name: str, functional: str, keras: str, *tests: str) -> Capability:
    return Capability(name, functional, keras, tests)


CAPABILITIES: dict[str, list[Capability]] = {
    "Imports and environment": [
        _row("`keras`-style imports", "`from fnet import layers, optimizers`", "`from fnet.keras import layers, models, optimizers`", f"{BUILD}modules_have_the_names_of_keras", LISTING),
        _row("`tensorflow.keras`-style imports", "`from fnet.layers import Dense, LSTM`", "`from fnet.keras.layers import Dense`", f"{BUILD}modules_have_the_names_of_keras", LISTING, BESIDE),
        _row("`Input` in three places", "`fnet.Input`, `fnet.layers.Input`", "`keras.Input`, `layers.Input`, `models.Input`", f"{BUILD}the_input_is_in_all_three_places"),
        _row("The same code on CPU and GPU", '`fnet.to_device(ts, "cuda")`', "(text)", "devices/cuda/test_training.py::test_a_compiled_step_trains_there_as_on_the_cpu", "devices/cuda/test_training.py::test_the_network_for_digits_is_trained_there", "devices/cuda/test_device.py::test_why_there_are_no_cards"),
        _row("Data of rank 2, 3 and 4", "`Dense`, `LSTM`, `Conv2D` check ranks", "the same", f"{BUILD}ranks_are_checked_by_layer", "layers/test_bad_input.py::test_inputs_of_another_shape_work_or_are_refused"),
    ],
    "Models: Sequential": [
        _row("An empty model that grows", "`serial(*layers)`", "`Sequential()`, `model.add(layer)`", f"{BUILD}layers_run_in_the_order_in_which_they_were_added", f"{WORDS}a_sequential_grows_and_shrinks"),
        _row("`Sequential` at the root", "`fnet.serial`", "`keras.Sequential()`", f"{BUILD}layers_run_in_the_order_in_which_they_were_added"),
        _row("A list of layers", "`serial([Dense(300), ...])`", '`Sequential([Input(shape=(28, 28)), Dense(300, name="Dense1")])`', f"{BUILD}a_list_of_layers_with_an_input_and_names", "test_keras_habits.py::test_lists_of_layers"),
        _row("An input as the first layer", "`net.init(key, (28, 28))`", "`model.add(Input(shape=(28, 28)))`", f"{BUILD}an_input_that_is_added_builds_the_model"),
        _row("`input_shape=`", "`net.init(key, (18,))`", "`Dense(4, input_shape=(18,))`", f"{BUILD}a_shape_of_the_first_layer_builds_the_model", LISTING),
        _row("`input_dim=`", "`net.init(key, (1,))`", "`Dense(units=1, input_dim=1)`", f"{BUILD}a_shape_of_the_first_layer_builds_the_model"),
        _row("Weights made by the first data", "`trainer.init(key, x.shape[1:])`", "`Sequential([Dense(16), Dense(1)])`, then `fit`", f"{WORDS}weights_are_made_at_the_first_call_or_where_a_shape_is_known", f"{TRAIN}four_steps_from_data_to_a_trained_model"),
        _row("Sizes of inputs are inferred", "`serial(Dense(32), Dense(10), Dense(20))`", "`model.add(Dense(10))`", f"{BUILD}sizes_of_inputs_are_found_layer_by_layer"),
        _row("A layer alone", "`Dense(32).init(key, (784,))`", "`layers.Dense(32, input_shape=(784,))`", f"{BUILD}a_layer_stands_alone"),
        _row("One input, one output", "`parallel`, `fanout` for several", "`Sequential` refuses several", f"{BUILD}sequential_has_one_input_and_one_output", f"{WORDS}mistakes_are_explained"),
    ],
    "Models: functional API": [
        _row("Symbolic inputs", "`fnet.Input((784,))`", "`Input(shape=(784,))`", f"{BUILD}a_symbolic_input_has_a_batch_of_any_size_a_name_and_a_dtype"),
        _row("Inputs with a dtype", '`fnet.Input((28, 28), dtype="float32")`', "`Input(shape=(28, 28), dtype=...)`", f"{BUILD}a_symbolic_input_has_a_batch_of_any_size_a_name_and_a_dtype"),
        _row("Named inputs", '`fnet.Input((None,), name="title")`', "`fit` takes a dict by name", f"{WORDS}several_inputs_and_outputs_by_list_and_by_name", "train/test_outputs.py::test_inputs_by_name_and_a_target_left_out"),
        _row("Inputs of any length", "`None` in a shape", "`Input(shape=(None,))`", f"{BUILD}inputs_of_any_length"),
        _row("Layers called on nodes", '`Dense(16, "relu")(x)`', '`Dense(16, activation="relu")(inputs)`', f"{BUILD}a_call_on_a_node_gives_a_node", "networks/test_graph.py::test_a_chain_is_serial"),
        _row("`Model(inputs, outputs)`", "`graph(inputs, outputs)`", "`models.Model(inputs, outputs)`", f"{BUILD}a_call_on_a_node_gives_a_node", LISTING),
        _row("`Model(inputs=, outputs=)`", "`graph(inputs=x, outputs=y)`", "`Model(inputs=x, outputs=y)`", f"{BUILD}a_call_on_a_node_gives_a_node", LISTING),
        _row("Branches", "`fanout(Dense(16), Dense(8))`", "one node feeds several layers", f"{BUILD}branches_of_one_node_add_their_gradients", "networks/test_graph.py::test_branches_are_fanout"),
        _row("Several inputs", "`graph([a, b], y)`", "`Model([input1, input2], output)`", f"{WORDS}several_inputs_and_outputs_by_list_and_by_name", REACHED),
        _row("Several outputs", "`graph(x, [a, b])`", "`Model(x, [output, sub_output])`", f"{WORDS}several_inputs_and_outputs_by_list_and_by_name", "train/test_outputs.py::test_losses_metrics_and_records_by_output"),
        _row("Several inputs and outputs", "[examples/tickets.py](../examples/tickets.py)", "the ticket model, with `fit`", LISTING, BESIDE, "networks/test_graph.py::test_several_inputs_and_outputs_by_place_and_by_name"),
        _row("Named outputs and layers", '`graph(x, {"priority": y})`', '`Dense(1, name="priority")`, `get_layer`', f"{WORDS}several_inputs_and_outputs_by_list_and_by_name", f"{WORDS}mistakes_are_explained"),
        _row("Names with blanks", '`named("Dense Layer", net)`', '`Dense(10, name="Dense Layer")`', f"{BUILD}names_with_blanks_stay_in_summary_and_file"),
        _row("Skip connections", '`fanout(Identity(), net)`, `residual(net)`', "`Concatenate()([input_layer, hidden2])`", f"{BUILD}a_skip_of_rank_three", "networks/test_graph.py::test_a_skip_on_any_rank_is_residual"),
        _row("Any acyclic graph", "`graph`; [inception](../examples/inception.py), [residual](../examples/residual_cnn.py)", "`Model`", f"{BUILD}a_graph_without_an_order_is_no_graph", REACHED),
        _row("Shared layers and models", "the same `Layer` called twice", "the same layer called twice", f"{WORDS}models_share_the_weights_of_their_layers", "networks/test_graph.py::test_a_shared_layer_has_one_entry_and_summed_gradients", "networks/test_sharing.py::test_shared_layers_train_save_and_penalise_once"),
        _row("A model is a graph of layers", "`graph(...).children`", "(text)", f"{BUILD}a_model_is_a_graph_of_layers_in_an_order_that_serves_every_layer"),
    ],
    "Models: subclasses": [
        _row("A class with `__init__` and `call`", "a function, or `Layer(init, apply)`", "`class MyModel(Model)`", f"{BUILD}a_subclass_has_arguments_and_control_flow", f"{WORDS}layers_of_ones_own_train_and_count", LISTING),
        _row("`fit`, `evaluate`, `predict` of it", "`Trainer`", "`MyModel().fit(...)`", f"{BUILD}a_subclass_has_arguments_and_control_flow", f"{WORDS}layers_of_ones_own_train_and_count"),
        _row("Saving it", "`save_weights`, `register`", "`save_weights`; `save` says what to register", f"{BUILD}a_subclass_has_arguments_and_control_flow", "io/keras/test_register.py::test_layers_come_back"),
    ],
    "Layers": [
        _row("Dense", "`fnet.layers.Dense`", "`Dense(units, activation=...)`", f"{LAYER}dense_in_both_words", "test_layers.py::test_dense_is_the_affine_map"),
        _row("Dense on the last of three axes", "the same", "`Input((28, 28))`, `Dense(300)`", f"{LAYER}dense_in_both_words", f"{BUILD}an_input_that_is_added_builds_the_model"),
        _row("Dense without an activation", "`Dense(8)`", "`Dense(8)(x)`", f"{LAYER}dense_in_both_words"),
        _row("Activation as a layer", '`Activation("relu")`', '`Activation("relu")`', f"{LAYER}activation_is_a_layer_or_a_word"),
        _row("Flatten", "`Flatten()`", "`Flatten()`: (128, 3, 2, 2) to (128, 12)", f"{LAYER}flatten_reads_the_last_axis_first", "test_layers.py::test_flatten_and_reshape_are_row_major"),
        _row("Flatten with `input_shape`", "`Flatten()`", "`Flatten(input_shape=(28, 28, 1))(inputs)`", f"{LAYER}flatten_reads_the_last_axis_first"),
        _row("The input layer", "`Input`", "no parameters; hidden in a Sequential's summary", f"{LAYER}the_input_layer_counts_nothing"),
        _row("Conv2D", "`Conv2D(32, 3)`", "`Conv2D(filters=32, kernel_size=3)`", f"{LAYER}a_small_network_of_convolutions", "layers/test_golden.py::test_convolutions_do_not_turn_the_kernel"),
        _row("Filters are learnt", "`value_and_grad`", "(text)", f"{LAYER}a_small_network_of_convolutions", "ops/test_conv.py::test_derivatives_of_both_orders"),
        _row("Padding with zeros", '`padding="same"`', '`padding="same"`', f"{LAYER}a_small_network_of_convolutions", "layers/test_golden.py::test_padding_same"),
        _row("MaxPooling2D", "`MaxPooling2D(2)`", "`MaxPooling2D(pool_size=2)`", f"{LAYER}a_small_network_of_convolutions", "layers/test_pooling.py::test_the_gradient_goes_to_the_first_maximum_and_none_is_lost"),
        _row("Other pooling", "`AveragePooling2D`, `Global...`", "the same names", f"{LAYER}a_small_network_of_convolutions", "layers/test_pooling.py::test_global_pooling_is_the_reduction_over_all_pixels"),
        _row("Embedding", "`Embedding(10000, 64)`", "`Embedding(num_words, 64)`", f"{LAYER}an_embedding_has_a_vector_for_each_word", "layers/test_embedding.py::test_parameters"),
        _row("SimpleRNN", "`SimpleRNN(16)`", '`SimpleRNN(16, activation="tanh")`', f"{LAYER}recurrent_layers_return_the_last_step_or_all", "layers/test_recurrent.py::test_values_of_keras"),
        _row("LSTM", "`LSTM(128)`", "`LSTM(128)`", f"{LAYER}recurrent_layers_return_the_last_step_or_all", f"{LAYER}an_lstm_shows_its_cell_and_forgets_little_at_first", "layers/test_recurrent.py::test_values_of_keras"),
        _row("`return_sequences`", "the same", "`return_sequences=True`", f"{LAYER}recurrent_layers_return_the_last_step_or_all", "layers/test_recurrent.py::test_what_is_returned"),
        _row("LSTM on embedded sequences of any length", "`serial(Embedding(...), LSTM(128))`", "`LSTM(128)(Embedding(...)(x))`", f"{BUILD}inputs_of_any_length", "layers/test_recurrent.py::test_time_may_vary"),
        _row("One or many to one or many", "[examples/rnn_topologies.py](../examples/rnn_topologies.py)", "`RepeatVector`, `TimeDistributed`", f"{LAYER}shapes_of_sequences_in_and_out", REACHED),
        _row("The state of the cell", "`LSTM(3, return_state=True)`", "`return_state=True`", f"{LAYER}an_lstm_shows_its_cell_and_forgets_little_at_first", "layers/test_recurrent.py::test_the_state_returned_continues_the_sequence"),
        _row("concatenate, the function", "`fnet.layers.concatenate`", "`layers.concatenate([a, b])`", f"{LAYER}concatenation_is_a_function_and_a_layer"),
        _row("Concatenate, the layer", "`Concatenate()`", "`Concatenate()([a, b])`", f"{LAYER}concatenation_is_a_function_and_a_layer", "layers/test_merge.py::test_errors"),
        _row("Dropout", "`Dropout(0.3)` with `key=`", "`Dropout(0.3)`", f"{LAYER}dropout_acts_in_training_only", "test_layers.py::test_dropout_drops_the_rate_and_scales_the_rest"),
        _row("BatchNormalization", "`BatchNormalization()`", "`BatchNormalization()`", f"{LAYER}dense_then_normalisation_then_activation", "layers/test_golden.py::test_batch_normalization_moves_by_one_minus_momentum_with_the_biased_variance"),
        _row("Dense, BatchNorm, Activation", '`serial(Dense(16), BatchNormalization(), Activation("relu"))`', "in both APIs", f"{LAYER}dense_then_normalisation_then_activation", LISTING),
        _row("Layers without weights", "`params == {}`", "`layer.weights == []`", f"{LAYER}layers_with_and_without_weights"),
        _row("A layer takes and gives arrays", "`init, apply = layer`", "`layer(x)`", f"{LAYER}layers_with_and_without_weights", "test_layers.py::test_a_layer_is_the_pair_and_is_read_only"),
    ],
    "Activations": [
        *(
            _row(name, f"`fnet.activations.{word}`", f'`activation="{word}"`', f"{LAYER}an_activation_by_its_name", "test_activations.py::test_formula")
            for name, word in (("Linear", "linear"), ("ReLU", "relu"), ("Tanh", "tanh"), ("Sigmoid (logistic, soft step)", "sigmoid"), ("Softmax", "softmax"))
        ),
        _row("Binary step", "`fnet.activations.binary_step`", '`activation="binary_step"`', f"{LAYER}an_activation_by_its_name", f"{LAYER}a_step_has_no_slope_to_learn_from"),
        _row("All activations of Keras", "[fnet.activations](reference/activations.md)", "`keras.activations`", "test_activations.py::test_values_of_keras", "test_activations.py::test_the_table_is_complete", "keras/test_names.py::test_every_name_is_there_or_has_a_reason"),
    ],
    "Initializers, penalties": [
        _row("An initializer by name", '`kernel_initializer="he_normal"`', "the same", f"{LAYER}initial_weights_by_name_and_seed", "test_initializers.py::test_statistics"),
        _row("Glorot uniform and zeros by default", "the same", "the same", f"{LAYER}dense_in_both_words"),
        _row("All initializers of Keras", "[fnet.initializers](reference/initializers.md)", "`keras.initializers`", "test_initializers.py::test_every_spelling_of_keras_resolves", "test_initializers.py::test_classes_of_keras_make_the_same_configured_initializer"),
        _row("A random start near zero", "`net.init(fnet.random.key(0), shape)`", "`keras.utils.set_random_seed(0)`", f"{LAYER}initial_weights_by_name_and_seed", f"{WORDS}seeds_decide"),
        _row("`L1L2`", "`regularizers.L1L2(l1=0, l2=0.1)`", "`kernel_regularizer=L1L2(l1=0, l2=0.1)`", f"{LAYER}penalties_are_part_of_the_loss", "train/test_penalties.py::test_penalties_are_in_the_loss_and_in_the_validation_loss"),
        _row("L1 and L2 alone", '`"l1"`, `"l2"`', '`L1`, `L2`, `l1()`, `l2()`, `"l1"`, `"l2"`', f"{LAYER}penalties_are_part_of_the_loss", "test_regularizers.py::test_names_classes_instances_and_functions"),
    ],
    "Losses": [
        *(
            _row(name, f"`fnet.losses.{function}`", f'`loss="{word}"`', f"{TRAIN}a_loss_by_its_name", GOLDEN)
            for name, function, word in (
                ("Mean squared error", "mse", "mse"), ("Mean absolute error", "mae", "mae"), ("MSLE", "msle", "msle"), ("MAPE", "mape", "mape"), ("Kullback-Leibler", "kld", "kld"),
                ("Poisson", "poisson", "poisson"), ("Log-cosh", "log_cosh", "log_cosh"), ("Cosine similarity", "cosine_similarity", "cosine_similarity"), ("Huber", "huber", "huber"),
            )
        ),
        _row("CTC", "`fnet.losses.ctc`", "`losses.CTC()`", f"{TRAIN}ctc_in_both_words", "test_ctc.py::test_values_recorded_from_keras", "test_ctc.py::test_gradient_is_that_of_differences", "test_ctc.py::test_probabilities_with_the_blank_at_the_end", "test_ctc.py::test_decoders_agree_with_the_loss"),
        _row("Binary cross-entropy", "`binary_crossentropy`", '`loss="binary_crossentropy"`', f"{TRAIN}a_loss_by_its_name", "losses/test_extremes.py::test_logits_and_their_probabilities_agree"),
        _row("Categorical cross-entropy", "`categorical_crossentropy`", '`loss="categorical_crossentropy"`', f"{TRAIN}a_loss_by_its_name", f"{TRAIN}integer_labels_mean_the_same_as_one_hot_rows"),
        _row("Sparse categorical cross-entropy", "`sparse_categorical_crossentropy`", '`loss="sparse_categorical_crossentropy"`', f"{TRAIN}integer_labels_mean_the_same_as_one_hot_rows"),
        _row("Hinge", "`hinge`", '`loss="hinge"`', f"{TRAIN}a_loss_by_its_name", GOLDEN),
        _row("Squared hinge", "`squared_hinge`", '`loss="squared_hinge"`', f"{TRAIN}a_loss_by_its_name", GOLDEN),
        _row("Categorical hinge", "`categorical_hinge`", '`loss="categorical_hinge"`', f"{TRAIN}a_loss_by_its_name", GOLDEN),
        _row("Cross-entropy by shape", '`fnet.losses.get("crossentropy")`', '`loss="crossentropy"`', f"{TRAIN}a_loss_by_its_name", "losses/test_configured.py::test_crossentropy_chooses_by_shape"),
        _row("Maximum likelihood", "[a function of your own](tour/losses.md)", "`loss=nll`", f"{TRAIN}a_likelihood_of_ones_own_is_minimised", "site/test_pages.py::test_a_page_does_what_it_shows"),
        _row("Which loss for which task", "[Choosing a loss](tour/losses.md)", "the same page", "site/test_pages.py::test_a_page_does_what_it_shows"),
    ],
    "Optimizers": [
        _row("An optimizer by name", '`Trainer(net, loss, "adam")`', '`optimizer="adam"`, `"SGD"`, `"sgd"`', f"{TRAIN}an_optimizer_by_its_name_lowers_the_loss", "optimizers/test_names.py::test_get"),
        _row("Adam", "`fnet.optimizers.adam(1e-4)`", "`optimizers.Adam(lr=1e-4)`", f"{TRAIN}an_optimizer_by_class_and_object", "optimizers/test_recorded.py::test_trajectories"),
        _row("SGD", "`fnet.optimizers.sgd(0.01, momentum=0.9)`", '`optimizer="SGD"`', f"{TRAIN}an_optimizer_by_its_name_lowers_the_loss", "optimizers/test_recorded.py::test_momentum"),
        _row("RMSprop", "`fnet.optimizers.rmsprop()`", "`optimizer=RMSprop`", f"{TRAIN}an_optimizer_by_class_and_object", f"{WORDS}optimizers_are_named_by_class_too"),
        _row("Gradient descent on all data", "`fit(..., batch_size=len(x))`", "the same", f"{TRAIN}all_samples_in_one_batch_are_plain_gradient_descent"),
        _row("Gradient descent on small batches", "`fit(..., batch_size=32)`", "the same", f"{TRAIN}all_samples_in_one_batch_are_plain_gradient_descent", "train/test_fit.py::test_an_epoch_is_the_plain_loop"),
        _row("Newton's method", "`fnet.minimize(f, x, method=\"newton\")`", "(text)", "optimizers/test_second_order.py::test_newton_solves_a_quadratic_in_one_step", "test_examples.py::test_second_order"),
        _row("And so on", "`adamw`, `nadam`, `lion`, ...", "`AdamW`, `Nadam`, `Lion`, ...", f"{TRAIN}an_optimizer_by_its_name_lowers_the_loss", "optimizers/test_rules.py::test_trajectory_is_that_of_the_formulas", "keras/test_optimizers.py::test_trajectory"),
        _row("An optimizer with options", "`fnet.optimizers.adam(1e-4, clipnorm=1.0)`", "`optimizers.Adam(learning_rate=1e-4)`", f"{TRAIN}an_optimizer_by_class_and_object", "optimizers/test_options.py::test_all_together_compiled_and_eager"),
        _row("Back-propagation", "`fnet.value_and_grad`", "(text)", "test_layers.py::test_gradients_agree_with_differences_and_projections"),
        _row("Forward propagation", "`net.apply(params, state, x)`", "`model(x)`, `model.predict(x)`", f"{TRAIN}four_steps_from_data_to_a_trained_model", f"{WORDS}a_model_does_what_the_trainer_does_to_the_bit"),
    ],
    "Training": [
        _row("`compile(optimizer, loss)`", "`Trainer(net, loss, optimizer)`", '`model.compile(optimizer="adam", loss="mse")`', f"{TRAIN}four_steps_from_data_to_a_trained_model", f"{WORDS}a_model_does_what_the_trainer_does_to_the_bit"),
        _row("`compile(metrics=...)`", '`Trainer(..., metrics=["mae"])`', '`metrics=["accuracy"]`', f"{TRAIN}four_steps_from_data_to_a_trained_model", f"{WORDS}losses_and_metrics_are_objects"),
        _row("Accuracy of two and of many classes", '`metrics=["accuracy"]`', "the same", f"{TRAIN}accuracy_means_what_the_loss_means", "metrics/test_values.py::test_accuracy_is_chosen_by_the_shapes"),
        _row("`fit` with `batch_size` and `epochs`", "`trainer.fit(ts, x, y, batch_size=128, epochs=10)`", "`model.fit(x, y, batch_size=128, epochs=10)`", f"{TRAIN}four_steps_from_data_to_a_trained_model", "train/test_fit.py::test_an_epoch_is_the_plain_loop"),
        _row("Epochs, batches, iterations", "`ts.step`", "`optimizer.iterations`", f"{TRAIN}all_samples_in_one_batch_are_plain_gradient_descent", "train/test_fit.py::test_every_epoch_visits_every_sample_once_in_an_order_of_its_own"),
        _row("`evaluate`", "`trainer.evaluate(ts, x, y)`", "`model.evaluate(x, y)`", f"{TRAIN}four_steps_from_data_to_a_trained_model", "train/test_inference.py::test_evaluation_is_the_mean_over_the_samples"),
        _row("`predict`", "`trainer.predict(ts, x)`", "`model.predict(x)`", f"{TRAIN}four_steps_from_data_to_a_trained_model", "train/test_inference.py::test_predictions_are_those_of_the_network_in_order"),
        _row("Data, model, compile, fit", "[the tour](tour/index.md)", "the same four steps", f"{TRAIN}four_steps_from_data_to_a_trained_model", "site/test_pages.py::test_a_page_does_what_it_shows"),
        _row("Cross-validation", "`fnet.k_fold`", "(text)", "train/test_cross_validation.py::test_each_sample_is_tested_once_by_a_network_that_has_not_seen_it", "train/test_cross_validation.py::test_mean_and_spread_of_every_metric"),
        _row("Validation, over- and underfitting", "`validation_split`, `EarlyStopping`", "the same", f"{TRAIN}four_steps_from_data_to_a_trained_model", "train/test_fit.py::test_the_last_part_is_set_aside_before_shuffling", "callbacks/test_monitors.py::test_early_stopping", "site/test_pages.py::test_a_page_does_what_it_shows"),
        _row("Bias, variance, bootstrap, bagging, boosting", "`bagging`, `bootstrap`, `learning_curve`, `fnet.sklearn`", "(text)", "train/test_bagging.py::test_they_predict_together", "train/test_bootstrap.py::test_the_interval_of_a_mean_is_the_normal_one", "sklearn/test_estimators.py::test_boosting_weighs_samples", "train/test_learning_curves.py::test_a_validation_curve_tells_the_better_value"),
        _row("A time series with SimpleRNN", "[examples/forecasting.py](../examples/forecasting.py)", "`SimpleRNN(16)`, `Dense(1)`", REACHED, LISTING),
        _row("A dense classifier", "[examples/dnn_classifier.py](../examples/dnn_classifier.py)", "`Dense` 4, 3, 1 with a sigmoid", REACHED, LISTING),
        _row("A convolutional classifier", "[examples/cnn_digits.py](../examples/cnn_digits.py)", "two convolutions and poolings, `Dense(50)`, `Dense(2)`", REACHED, LISTING),
        _row("Tickets: several inputs and outputs", "[examples/tickets.py](../examples/tickets.py)", "`Embedding`, `LSTM`, `concatenate`", REACHED, LISTING, BESIDE),
        _row("Digits with the functional API", "[examples/digits.py](../examples/digits.py)", "`Flatten`, `Dense` 300, 100, 10", "test_examples.py::test_digits", LISTING, BESIDE),
    ],
    "Files": [
        _row("Weights to `.h5`", '`save_weights("w.h5", net, params, state)`', '`model.save_weights("simple_weights.h5")`', f"{TRAIN}weights_go_to_a_file_and_into_a_new_model", "io/test_weights.py::test_any_tree_comes_back"),
        _row("Weights into a new model", '`load_weights("w.h5", net, params, state)`', '`model.load_weights("simple_weights.h5")`', f"{TRAIN}weights_go_to_a_file_and_into_a_new_model", LISTING),
        _row("TensorFlow's checkpoints", "not read", "not read: an error that names the file", f"{TRAIN}a_checkpoint_of_tensorflow_is_refused_by_what_it_is"),
        _row("A whole model to a file", '`save_model("m.h5", net, params, state)`', '`model.save("simple_model.h5")`', f"{TRAIN}a_whole_model_goes_to_a_file", f"{WORDS}a_file_holds_the_model_and_its_training", "io/test_models.py::test_networks_compute_the_same"),
        _row("A whole model from a file", '`load_model("m.h5")`, `load_training`', '`models.load_model("simple_model.h5")`', f"{TRAIN}a_whole_model_goes_to_a_file", f"{WORDS}a_file_holds_the_model_and_its_training", "train/test_load_training.py::test_training_goes_on_with_the_same_bits"),
        _row("HDF5, safely", "files of real Keras open; hostile ones are refused", "the same", f"{TRAIN}a_whole_model_goes_to_a_file", "keras/test_older_models.py::test_files_of_the_older_layout_between_fnet_and_keras", "io/keras/test_hostile.py::test_hostile_files_cost_little_time_and_memory"),
    ],
    "Looking inside": [
        _row("`summary`", "`fnet.summary(net, shape)`", "`model.summary()`", f"{TRAIN}a_summary_is_a_table_of_layers", "inspect/test_summary.py::test_a_convolutional_network", BESIDE),
        _row("Inputs in a summary", "the same", "hidden in a Sequential, shown in a graph", f"{LAYER}the_input_layer_counts_nothing"),
        _row("A drawing with a name", '`fnet.plot_model(net, "net.png")`', '`utils.plot_model(model, "sequential.png")`', f"{TRAIN}a_model_is_drawn_with_and_without_a_name", "inspect/test_plot.py::test_images_are_made_by_graphviz"),
        _row("A drawing without a name", "`fnet.plot_model(net)`", "`plot_model(model)`: model.png", f"{TRAIN}a_model_is_drawn_with_and_without_a_name"),
        _row("TensorBoard", "`callbacks.TensorBoard(logs, histogram_freq=1)`", "the same", f"{TENSORBOARD}tags_and_steps_are_those_of_keras", f"{TENSORBOARD}histograms_of_weights_and_gradients", f"{TENSORBOARD}the_words_of_keras_log_to_a_folder_of_any_kind"),
        _row("Logs in any folder", "a path", "a relative or an absolute path", f"{TENSORBOARD}the_words_of_keras_log_to_a_folder_of_any_kind"),
        _row("Reading logs", "`tensorboard --logdir logs`", "the same", "callbacks/test_tensorboard_in_browser.py::test_tensorboard_shows_the_scalars"),
        _row("Colab", "[not needed](tour/tensorboard.md)", "`tensorboardcolab` is not needed", "site/test_pages.py::test_a_page_does_what_it_shows"),
    ],
    "Mistakes in tutorials": [
        _row("A comma for a dot, a layer that is not called", "the same errors", "`layers,Dense(16)(x)`, `Activation(\"relu\")` as an output: said, with the fix", "keras/test_tutorials.py::test_faulty_lines_are_answered"),
        _row("Misspelt names and arguments", "`TypeError`, with the name that was meant", '`Dense(32, actuvation="relu")`', "keras/test_tutorials.py::test_faulty_lines_are_answered", f"{WORDS}what_is_misspelt_is_named"),
    ],
}  # fmt: skip
