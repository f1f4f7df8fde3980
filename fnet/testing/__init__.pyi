from fnet.testing.gradients import check_complex_step as check_complex_step
from fnet.testing.gradients import check_grads as check_grads
from fnet.testing.layers import check_layer as check_layer
