import torch

from kiwi.modules.attention import Attention
from kiwi.modules.recurrent import run_recurrent


def test_means_are_of_what_is_there_alone():
    torch.manual_seed(1)
    attention = Attention(3, 4)
    queries, keys = torch.randn(2, 5, 3), torch.randn(2, 6, 4)
    mask = torch.tensor([[True] * 6, [True, True, False, False, False, False]])
    context = attention(queries, keys, mask)
    torch.testing.assert_close(context[1], attention(queries[1:], keys[1:, :2], mask[1:, :2])[0])
    weights = (attention.queries(queries[0]) @ keys[0].T / 2).softmax(-1)
    torch.testing.assert_close(context[0], weights @ keys[0])


def test_recurrent_layers_see_no_padding():
    torch.manual_seed(1)
    for layers in (
        torch.nn.LSTM(3, 4, num_layers=2, bidirectional=True, batch_first=True),
        torch.nn.LSTM(3, 4, batch_first=True),
    ):
        vectors = torch.randn(2, 5, 3)
        states, last = run_recurrent(layers, vectors, torch.tensor([5, 2]))
        alone, (hidden, _) = layers(vectors[1:, :2])
        torch.testing.assert_close(states[1, :2], alone[0])
        assert not states[1, 2:].any()
        n = 2 if layers.bidirectional else 1
        torch.testing.assert_close(last[1], hidden[-n:, 0].flatten())
