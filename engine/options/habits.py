"""What people type who come from Keras scripts, PyTorch Lightning or Hugging Face, and what stoker calls it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType

from ..errors import nearest

_NEVER_MEANT = {"help", "h", "version"}
"""Options that are no answer to an unknown one: the help is what else a message refers to."""


def _by_habit(table: Mapping[str, str]) -> Mapping[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for answer, habits in table.items():
        for habit in habits.split():
            found[habit] = (*found.get(habit, ()), answer)
    return MappingProxyType(found)


OPTIONS = _by_habit(
    {
        "learning-rate": "lr learningrate learn-rate eta step-size init-lr base-lr initial-lr rate "
        "initial-learning-rate",
        "batch-size": "bs b batch batchsize batches minibatch minibatch-size mini-batch-size train-batch-size "
        "per-device-train-batch-size global-batch-size micro-batch-size",
        "epochs": "e epoch ep n-epochs num-epochs nepochs nb-epoch nb-epochs max-epochs num-train-epochs total-epochs",
        "seed": "random-seed random-state rng-seed manual-seed seed-everything",
        "validation-fraction": "val-split validation-split valid-split val-fraction val-frac val-size val-ratio "
        "validation-size validation-ratio holdout hold-out",
        "data-folder": "data-dir datadir dataset-dir data-path dataset-path data-root dataset-root data-directory "
        "data-folders dataset-folder data train-dir train-data input input-dir folder d",
        "dataset": "data-set datasets dataset-name ds",
        "model": "m arch architecture net network model-name model-path model-file model-fn model-name-or-path",
        "device": "accelerator cuda use-cuda no-cuda use-gpu no-gpu use-cpu cpu",
        "threads": "num-threads nthreads n-threads n-jobs jobs j cpus num-cpus intra-op-threads",
        "output": "out o output-dir outdir out-dir save-dir save-path dest destination to",
        "runs-dir": "out o output output-dir outdir out-dir save-dir save-path log-dir logdir logging-dir work-dir "
        "workdir results-dir result-dir default-root-dir run-dir runs checkpoint-dir ckpt-dir model-dir",
        "resume": "resume-from resume-from-checkpoint checkpoint ckpt ckpt-path checkpoint-path restore restore-from "
        "continue continue-from load load-weights initial-checkpoint",
        "name": "run-name job-name exp-name experiment experiment-name project title",
        "keep": "save-best save-best-only load-best-model-at-end",
        "register": "registered-model-name model-registry publish",
        "quiet": "q silent no-verbose",
        "dry-run": "dryrun n simulate fast-dev-run",
        "detach": "background bg daemon no-wait nowait",
        "offline": "no-download",
        "backend": "platform cloud remote compute target runner",
        "tensorboard": "tb",
        "tensorboard-folder": "tensorboard-dir tb-dir tb-logdir",
        "early-stopping-patience": "patience early-stopping early-stop",
    }
)
"""{what people type: the options of stoker that it may mean, the likeliest first}, without dashes in front."""

SENTENCES = _by_habit(
    {
        "the optimizer and what belongs to it are set where the model is compiled: model.compile(optimizer=…) in the "
        "file of --model; --learning-rate is handed to it": "optimizer opt optim adam sgd momentum weight-decay wd "
        "decay nesterov beta1 beta2 adam-beta1 adam-beta2 adam-epsilon clipnorm clip-norm grad-clip gradient-clip "
        "gradient-clip-val max-grad-norm accumulate-grad-batches gradient-accumulation-steps ema use-ema",
        "loss and metrics are set where the model is compiled: model.compile(loss=…, metrics=[…]) in the file of "
        "--model": "loss loss-fn criterion metric metrics label-smoothing jit-compile compile run-eagerly eager",
        "a schedule is the optimizer's learning rate, where the model is compiled: Adam(schedule) in the file of "
        "--model": "scheduler schedule lr-scheduler lr-scheduler-type lr-schedule lr-decay lr-step gamma warmup "
        "warmup-steps warmup-ratio warmup-epochs min-lr",
        "the precision is set in the file of --model: keras.mixed_precision.set_global_policy(…)": "precision fp16 "
        "bf16 half amp use-amp mixed-precision dtype",
        "--device gpu or cpu chooses what computes; which of several GPUs is chosen by the variable "
        "CUDA_VISIBLE_DEVICES": "gpu gpus g num-gpus n-gpu n-gpus ngpus gpu-id gpu-ids gpu-count devices num-devices "
        "cuda-device cuda-devices visible-devices local-rank nproc-per-node num-nodes nodes strategy distributed ddp",
        "there is nothing to set: one thread reads ahead while the epoch runs; --threads N is the number of threads "
        "of an operation": "workers w num-workers nworkers n-workers num-dataloader-workers dataloader-num-workers "
        "num-proc prefetch pin-memory use-multiprocessing max-queue-size cache",
        "each epoch has one line; --quiet shows nothing but errors, and --debug in front of the command shows where "
        "an error came from": "v vv verbose verbosity log-level loglevel log-interval log-freq print-freq "
        "print-every logging-steps progress",
        "the examples are always shuffled, in an order that --seed decides": "shuffle no-shuffle deterministic",
        "an epoch is one pass over the training set; its number of steps follows from --batch-size": "steps max-steps "
        "num-steps steps-per-epoch iterations iters max-iters num-iterations total-steps limit-train-batches "
        "max-samples max-train-samples",
        "--validation-fraction F holds out a part of the training set; without it, the test set serves": "validation "
        "validate val eval evaluate val-data validation-data val-dir test-dir eval-steps eval-strategy test "
        "validation-freq val-check-interval do-eval do-train",
        "the validation has the batches of --batch-size": "val-batch-size validation-batch-size valid-batch-size "
        "eval-batch-size test-batch-size per-device-eval-batch-size",
        "callbacks come from a plugin: -p FILE.py in front of the command": "callback callbacks reduce-lr-on-plateau",
        "the size of a model of your own is set in its file; the model dnn has --first-layer-neurons and "
        "--second-layer-neurons": "hidden hidden-size hidden-dim hidden-units layers num-layers n-layers units "
        "neurons dropout dropout-rate width depth num-classes n-classes classes input-shape image-size img-size",
        "the model is always saved, below `outputs` in the folder of the run; `runs fetch --output DIR` copies "
        "it": "save save-model export save-steps save-strategy save-total-limit overwrite-output-dir",
        "--mlflow and --tensorboard record a run": "wandb use-wandb wandb-project report-to logger comet neptune",
        "options are read from stoker.toml, here or in a folder above": "config c cfg config-file conf settings yaml",
        "a plugin is named in front of the command: -p NAME": "plugins import user-dir",
    }
)
"""{what people type: where that is set}, without dashes in front."""

_OF_TRAINING = "learning-rate"
"""An option that only commands with the options of a training have; the sentences are for those."""


def hint(name: str, known: Collection[str], shown: Callable[[str], str]) -> str:
    """Returns the answer to an option that stoker does not have, or "".

    Args:
        name: The option, without dashes in front.
        known: The options that there are, without dashes in front.
        shown: Returns an option as the user would write it.

    Example:
        >>> hint("lr", ["learning-rate", "help"], lambda name: f"--{name}")
        'did you mean --learning-rate?'
    """
    plain = name.lower().replace("_", "-")
    meant = [option for option in OPTIONS.get(plain, ()) if option in known]
    if meant:
        return f"did you mean {shown(meant[0])}?"
    if _OF_TRAINING in known and plain in SENTENCES:
        return SENTENCES[plain][0]
    near = nearest(plain, set(known) - _NEVER_MEANT)
    return f"did you mean {shown(near)}?" if near else ""
