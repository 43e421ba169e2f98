from crosslens import testing
from crosslens_example.nano import Nano


@testing.parametrize("fade", testing.Net("nano", Nano, {"preprocess": None}, follows={"logits": "hidden"}))
def test_promise(check):
    check()
