"""The strongest peers, tuned: logistic regression, LightGBM, Vowpal Wabbit, LightFM, lme4's glmer.

Each takes the training rows and returns a function from rows to probabilities. With `own` it also
knows who somebody is. What tunes them (C, rounds, passes, epochs) is chosen on a seventh of the
training rows, held out once; then they are fitted to all of them.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from benchmarks.evidence_sets import Data
from whatworks.stats import evaluation
from whatworks.stats.arrays import Floats, Ints, sigmoid

try:  # peers are for comparison only; what is not installed is left out, and said so
    import scipy.sparse as sparse
    from sklearn.linear_model import LogisticRegression
except ImportError:
    sparse = LogisticRegression = None
try:
    import lightgbm
except ImportError:
    lightgbm = None
try:
    import vowpalwabbit
except ImportError:
    vowpalwabbit = None
try:
    import lightfm
except ImportError:
    lightfm = None

Predict = Callable[[Ints], Floats]
Fit = Callable[[Data, Ints, bool], Predict]
RSCRIPT: Final = shutil.which("Rscript")


def logistic(data: Data, train: Ints, own: bool) -> Predict:
    """One-hot of item, market, skill and their crosses; C chosen."""
    columns = _columns(data, own)
    matrix = _one_hot(columns, data.success.size)
    fitting, held = _held_out(train)

    def fit(rows: Ints, c: float) -> Predict:
        rate = float(data.success[rows].mean())
        if rate in (0.0, 1.0):  # it refuses to learn where all are alike
            return lambda chosen: np.full(len(chosen), rate)
        model = LogisticRegression(C=c, max_iter=300, tol=1e-4)
        model.fit(matrix[rows], data.success[rows])
        return lambda chosen: np.asarray(model.predict_proba(matrix[chosen])[:, 1])

    def loss(c: float) -> float:
        return _loss(data, held, fit(fitting, c)(held))

    return fit(train, min((0.03, 0.1, 0.3, 1.0, 3.0), key=loss))


def gradient_boosting(data: Data, train: Ints, own: bool) -> Predict:
    """LightGBM on the categories, rounds and leaves chosen."""
    parts = [data.item, data.market, data.skill, *([data.user] if own else [])]
    table = np.stack(parts, axis=1).astype(np.float64)
    fitting, held = _held_out(train)

    def boost(rows: Ints, leaves: int, rounds: int, check: Ints | None) -> Any:
        few = {"min_data_in_leaf": 10, "min_data_per_group": 10, "cat_smooth": 10}
        options = {"objective": "binary", "learning_rate": 0.05, "num_leaves": leaves}
        options |= {"verbose": -1, "num_threads": 1, "seed": 0, "deterministic": True, **few}
        known = {"categorical_feature": list(range(table.shape[1])), "free_raw_data": False}
        rest = {"params": {"verbose": -1}}
        first = lightgbm.Dataset(table[rows], data.success[rows], **known, **rest)
        if check is None:
            return lightgbm.train(options, first, rounds)
        second = lightgbm.Dataset(table[check], data.success[check], reference=first, **rest)
        stop = [lightgbm.early_stopping(30, verbose=False)]
        return lightgbm.train(options, first, rounds, valid_sets=[second], callbacks=stop)

    def tried(leaves: int) -> tuple[float, int, int]:
        model = boost(fitting, leaves, 600, held)
        return _loss(data, held, model.predict(table[held])), leaves, max(model.best_iteration, 1)

    _, leaves, rounds = min(tried(leaves) for leaves in (7, 31))
    model = boost(train, leaves, rounds, None)
    return lambda rows: np.asarray(model.predict(table[rows]))


def vowpal_wabbit(data: Data, train: Ints, own: bool) -> Predict:
    """Online logistic regression with -q im -q is (and the user), passes and rate chosen."""
    lines = _lines(data, own)
    fitting, held = _held_out(train)

    def learn(rows: Ints, rate: float, passes: int) -> list[Any]:
        options = f"--loss_function logistic -q im -q is -b 20 --quiet -l {rate}"
        model = vowpalwabbit.Workspace(options)
        for _ in range(passes):
            for row in rows:
                model.learn(f"{1 if data.success[row] else -1} {lines[row]}")
        return [model]

    def tell(model: Any, rows: Ints) -> Floats:
        raw = np.array([model.predict(lines[row]) for row in rows], dtype=np.float64)
        return sigmoid(raw)

    def loss(choice: tuple[float, int]) -> float:
        return _loss(data, held, tell(learn(fitting, *choice)[0], held))

    choices = [(rate, passes) for rate in (0.1, 0.5) for passes in (1, 3)]
    model = learn(train, *min(choices, key=loss))[0]
    return lambda rows: tell(model, rows)


def factorisation(data: Data, train: Ints, own: bool) -> Predict:
    """LightFM with identities and segments, logistic loss, epochs chosen."""
    people = _one_hot([data.market, data.skill, data.segment], data.success.size)
    if own:
        people = sparse.hstack([people, _one_hot([data.user], data.success.size)]).tocsr()
    who, first, of_row = np.unique(
        data.user * (data.segment.max() + 1) + data.segment, return_index=True, return_inverse=True
    )
    features = people[first].tocsr().astype(np.float32)
    items = sparse.identity(data.items, dtype=np.float32, format="csr")
    fitting, held = _held_out(train)

    def learn(rows: Ints, epochs: int) -> Any:
        model = lightfm.LightFM(
            no_components=8, loss="logistic", item_alpha=1e-5, user_alpha=1e-5, random_state=0
        )
        seen = np.where(data.success[rows] > 0, 1, -1).astype(np.float32)
        shape = (len(who), data.items)
        matrix = sparse.coo_matrix((seen, (of_row[rows], data.item[rows])), shape=shape)
        return model.fit(matrix, features, items, epochs=epochs, num_threads=1)

    def tell(model: Any, rows: Ints) -> Floats:
        raw = model.predict(
            of_row[rows].astype(np.int32),
            data.item[rows].astype(np.int32),
            item_features=items,
            user_features=features,
            num_threads=1,
        )
        return sigmoid(np.asarray(raw, dtype=np.float64))

    def loss(epochs: int) -> float:
        return _loss(data, held, tell(learn(fitting, epochs), held))

    model = learn(train, min((2, 5, 10, 20, 40), key=loss))
    return lambda rows: tell(model, rows)


GLMER: Final = """
suppressMessages(library(lme4))
train <- read.csv("train.csv"); new <- read.csv("new.csv")
for (name in c("item", "market", "skill", "segment")) {
  train[[name]] <- factor(train[[name]]); new[[name]] <- factor(new[[name]]) }
parts <- c("(1|item)", if (nlevels(train$market) > 1) "(1|item:market)",
           if (nlevels(train$skill) > 1) "(1|item:skill)",
           if (nlevels(train$market) > 1 && nlevels(train$skill) > 1) "(1|item:segment)")
fixed <- if (nlevels(train$segment) > 1) "0 + segment" else "1"
f <- as.formula(paste("cbind(s, n - s) ~", paste(c(fixed, parts), collapse = " + ")))
quick <- glmerControl(optimizer = "nloptwrap", calc.derivs = FALSE)
seconds <- system.time(fit <- suppressMessages(suppressWarnings(
  glmer(f, data = train, family = binomial, nAGQ = 1, control = quick))))
seconds <- seconds[["user.self"]] + seconds[["sys.self"]]
new$segment <- factor(ifelse(new$segment %in% levels(train$segment), as.character(new$segment),
                             levels(train$segment)[1]))
p <- predict(fit, newdata = new, type = "response", allow.new.levels = TRUE)
write.csv(data.frame(p = p), "p.csv", row.names = FALSE); cat(seconds)
"""


def glmer(data: Data, train: Ints, rows: Ints, longest: float) -> tuple[Floats, float] | None:
    """lme4 on the same counts: probabilities of `rows`, seconds of fit; None without a result.

    With the optimiser that reaches the same likelihood soonest: its default takes ten minutes.
    """
    counts = data.trials(train).summed()
    cells, back = np.unique(data.item[rows] * 100_000 + data.segment[rows], return_inverse=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        table = np.stack([counts.item, *_parts(data, counts.segment)], axis=1)
        full = np.column_stack([table, counts.successes, counts.trials])
        wanted = np.stack([cells // 100_000, *_parts(data, cells % 100_000)], axis=1)
        heads = "item,market,skill,segment"
        np.savetxt(folder / "train.csv", full, "%d", ",", header=heads + ",s,n", comments="")
        np.savetxt(folder / "new.csv", wanted, "%d", ",", header=heads, comments="")
        try:
            done = subprocess.run(
                [str(RSCRIPT), "-e", GLMER],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=longest,
                check=True,
            )
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError) as failure:
            print(f"glmer: {getattr(failure, 'stderr', '') or failure}".strip()[-300:])
            return None
        p = np.loadtxt(folder / "p.csv", skiprows=1)
    return np.atleast_1d(p)[back], float(done.stdout)


def _parts(data: Data, segment: Ints) -> tuple[Ints, Ints, Ints]:
    market, skill = np.divmod(segment, data.skills)
    return market, skill, segment


def _columns(data: Data, own: bool) -> list[Ints]:
    crosses = [data.item * data.markets + data.market, data.item * data.skills + data.skill]
    columns = [data.item, data.market, data.skill, data.segment, *crosses]
    return [*columns, data.user] if own else columns


def _one_hot(columns: list[Ints], rows: int) -> Any:
    blocks = []
    for column in columns:
        names, code = np.unique(column, return_inverse=True)
        entries = (np.ones(rows), (np.arange(rows), code))
        blocks.append(sparse.csr_matrix(entries, shape=(rows, len(names))))
    return sparse.hstack(blocks).tocsr()


def _lines(data: Data, own: bool) -> list[str]:
    whose = (f" |u u{user}" if own else "" for user in data.user)
    return [
        f"|i i{item} |m m{market} |s s{skill}{user}"
        for item, market, skill, user in zip(data.item, data.market, data.skill, whose, strict=True)
    ]


def _held_out(train: Ints) -> tuple[Ints, Ints]:
    order = np.random.default_rng(0).permutation(train)
    size = max(len(train) // 7, 1)
    return order[size:], order[:size]


def _loss(data: Data, rows: Ints, predicted: Floats) -> float:
    return evaluation.log_loss(data.success[rows], np.asarray(predicted, dtype=np.float64))


PEERS: Final[dict[str, tuple[Fit, bool]]] = {
    "LR": (logistic, LogisticRegression is not None),
    "LightGBM": (gradient_boosting, lightgbm is not None),
    "VW": (vowpal_wabbit, vowpalwabbit is not None),
    "LightFM": (factorisation, lightfm is not None and sparse is not None),
}
