# Muon: the momentum of a weight matrix, made orthogonal by a Newton-Schulz iteration, is the step (K. Jordan, 2024).
import torch


def orthogonal(g):
    """Nearly U V^T of each matrix in [n, rows, columns], rows <= columns; five steps suffice for singular values in 0.7 .. 1.2."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g.bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(5):
        square = x @ x.transpose(1, 2)
        x = a * x + (b * square + c * square @ square) @ x
    return x.to(g.dtype)


class Muon(torch.optim.Optimizer):
    """All matrices of one shape are stepped together: one group per shape."""

    def __init__(self, matrices, lr, momentum=0.95, weight_decay=0.01):
        shapes = sorted({tuple(p.shape) for p in matrices})
        groups = [{"params": [p for p in matrices if tuple(p.shape) == shape]} for shape in shapes]
        super().__init__(groups, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            update = []
            for p in group["params"]:
                velocity = self.state[p].setdefault("velocity", torch.zeros_like(p))
                velocity.lerp_(p.grad, 1 - group["momentum"])
                update.append(p.grad.lerp(velocity, group["momentum"]))
            update = torch.stack(update)
            rows, columns = update.shape[1:]
            flat = update.transpose(1, 2) if rows > columns else update
            step = orthogonal(flat)
            step = step.transpose(1, 2) if rows > columns else step
            scale = group["lr"] * max(1, rows / columns) ** 0.5
            for p, direction in zip(group["params"], step):
                p.mul_(1 - group["lr"] * group["weight_decay"]).add_(direction, alpha=-scale)
