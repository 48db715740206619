"""Small random checkpoints of what finds and names things by words, as published ones are stored.

Names of files, settings and special tokens are the real ones; Grounding DINO's special tokens have
their real ids too, which are part of the network.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from spatial_vlm_ros.vision.images import CLIP_MEAN, CLIP_STD

IMAGENET_MEAN, IMAGENET_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
_HALF = [0.5, 0.5, 0.5]
#: Words that are one token each; others are spelled.
WORDS = (
    "chair table lamp sofa washing machine coffee tv television floor wall ceiling door a an of "
    "the in photo close up room something else blurred plain surface part many things"
).split()
_BERT_SPECIAL = {"[PAD]": 0, "[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "[MASK]": 103}
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"
_DIM = 32


def save_grounding_dino(
    folder: Path, seed: int = 0, *, mm: bool = False, shortest: int = 96, **changes: Any
) -> None:
    """Grounding DINO, or MM Grounding DINO, which sees images whose shorter side is ``shortest``.

    changes: of its config.
    """
    kind = "MMGroundingDino" if mm else "GroundingDino"
    tokenizer = _bert_tokenizer()
    settings = {
        "backbone_config": {
            "model_type": "swin", "image_size": 64, "embed_dim": 8, "depths": [1, 1, 1, 1],
            "num_heads": [1, 1, 2, 2], "window_size": 4, "out_indices": [2, 3, 4],
            "initializer_range": 0.2,
        },
        "text_config": {
            "model_type": "bert", "vocab_size": len(tokenizer), "hidden_size": _DIM,
            "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 2 * _DIM,
            "initializer_range": 0.2,
        },
        "num_queries": 20, "encoder_layers": 1, "decoder_layers": 2, "d_model": _DIM,
        "encoder_ffn_dim": 2 * _DIM, "decoder_ffn_dim": 2 * _DIM, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "init_std": 0.2,
    } | changes  # fmt: skip
    config = getattr(transformers, f"{kind}Config")(**settings)
    images = {
        "do_normalize": True, "do_pad": True, "do_rescale": True, "do_resize": True,
        "format": "coco_detection", "image_mean": IMAGENET_MEAN, "image_std": IMAGENET_STD,
        "image_processor_type": "GroundingDinoImageProcessor", "resample": 2,
        "rescale_factor": 1 / 255, "processor_class": "GroundingDinoProcessor",
        "size": {"longest_edge": 1333 * shortest // 800, "shortest_edge": shortest},
    }  # fmt: skip
    _save(folder, f"{kind}ForObjectDetection", config, tokenizer, images, seed)


def save_owlv2(folder: Path, seed: int = 0, *, vit: bool = False, side: int = 64) -> None:
    """OWLv2, or OWL-ViT, which sees squares of ``side`` pixels in patches of 16."""
    kind = "OwlViT" if vit else "Owlv2"
    tokenizer = _clip_tokenizer("!", longest=16)
    config = getattr(transformers, f"{kind}Config")(
        text_config=_tower() | _ends(tokenizer) | {"max_position_embeddings": 16},
        vision_config=_tower() | {"image_size": side, "patch_size": 16},
        projection_dim=_DIM,
    )
    images = {
        "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": CLIP_MEAN,
        "image_std": CLIP_STD, "image_processor_type": f"{kind}ImageProcessor",
        "processor_class": f"{kind}Processor", "resample": 3 if vit else 2,
        "size": {"height": side, "width": side},
    }  # fmt: skip
    images |= {"do_center_crop": False} if vit else {"do_pad": True, "rescale_factor": 1 / 255}
    _save(folder, f"{kind}ForObjectDetection", config, tokenizer, images, seed)


def save_sam3(folder: Path, seed: int = 0, *, side: int = 112, video: bool = False) -> None:
    """SAM 3, which sees squares of ``side`` pixels, a multiple of 14.

    video: as it is published, as the detector of a model for videos (whose tracker is not here).
    """
    tokenizer = _clip_tokenizer("<|endoftext|>", longest=32)
    cells = side // 14
    part = {"hidden_size": _DIM, "num_attention_heads": 4, "intermediate_size": 2 * _DIM}
    config = transformers.Sam3Config(
        vision_config={
            "backbone_config": {
                "model_type": "sam3_vit_model", **part, "num_hidden_layers": 2, "image_size": side,
                "window_size": 4, "global_attn_indexes": [1], "pretrain_image_size": 56,
            },
            "fpn_hidden_size": _DIM,
            "backbone_feature_sizes": [[cells * k, cells * k] for k in (4, 2, 1)],
        },
        text_config={"model_type": "clip_text_model", **_tower(), **_ends(tokenizer)}
        | {"max_position_embeddings": 32, "projection_dim": _DIM},
        geometry_encoder_config=part | {"num_layers": 1},
        detr_encoder_config=part | {"num_layers": 1},
        detr_decoder_config=part | {"num_layers": 2, "num_queries": 12},
        mask_decoder_config={"hidden_size": _DIM, "num_attention_heads": 4},
        initializer_range=0.2,
    )  # fmt: skip
    images = {
        "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": _HALF,
        "image_std": _HALF, "image_processor_type": "Sam3ImageProcessorFast", "resample": 2,
        "size": {"height": side, "width": side},
    }  # fmt: skip
    _save(folder, "Sam3Model", config, tokenizer, {}, seed)
    (folder / "preprocessor_config.json").unlink()
    _write(folder / "processor_config.json", {"image_processor": images, "target_size": side})
    if video:
        _into_video(folder)


def _into_video(folder: Path) -> None:
    """Put the detector where a model for videos has it."""
    from safetensors.torch import load_file, save_file

    settings = json.loads((folder / "config.json").read_text())
    _write(folder / "config.json", {"model_type": "sam3_video", "detector_config": settings})
    weights = load_file(folder / "model.safetensors")
    renamed = {f"detector_model.{name}": tensor for name, tensor in weights.items()}
    renamed["tracker_model.some.weight"] = torch.zeros(1)
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})


def save_clip(folder: Path, seed: int = 0) -> None:
    """CLIP, with the settings for images of 2021, as its checkpoints still have them."""
    tokenizer = _clip_tokenizer("<|endoftext|>", longest=77)
    config = transformers.CLIPConfig(
        text_config=_tower() | _ends(tokenizer) | {"max_position_embeddings": 77},
        vision_config=_tower() | {"image_size": 32, "patch_size": 8, "projection_dim": _DIM},
        projection_dim=_DIM,
    )
    images = {
        "crop_size": 32, "do_center_crop": True, "do_normalize": True, "do_resize": True,
        "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": CLIP_MEAN,
        "image_std": CLIP_STD, "resample": 3, "size": 32,
    }  # fmt: skip
    _save(folder, "CLIPModel", config, tokenizer, images, seed)


def save_siglip(folder: Path, seed: int = 0, *, naflex: bool = False) -> None:
    """SigLIP 2, of one size, which says that it is a SigLIP; or of any size (``naflex``)."""
    tokenizer = _gemma_tokenizer()
    text = _tower() | {
        "vocab_size": len(tokenizer), "max_position_embeddings": 64, "projection_size": _DIM,
        "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2,
    }  # fmt: skip
    images = {
        "do_normalize": True, "do_rescale": True, "do_resize": True, "image_mean": _HALF,
        "image_std": _HALF, "resample": 2, "rescale_factor": 1 / 255,
    }  # fmt: skip
    config: Any
    if naflex:
        config = transformers.Siglip2Config(
            text_config=text, vision_config=_tower() | {"patch_size": 8, "num_patches": 16}
        )
        images |= {"image_processor_type": "Siglip2ImageProcessor", "patch_size": 8}
        images |= {"max_num_patches": 16}
    else:
        config = transformers.SiglipConfig(
            text_config=text, vision_config=_tower() | {"image_size": 32, "patch_size": 8}
        )
        images |= {"image_processor_type": "SiglipImageProcessor"}
        images |= {"size": {"height": 32, "width": 32}}
    _save(folder, "Siglip2Model" if naflex else "SiglipModel", config, tokenizer, images, seed)


def _tower() -> dict[str, Any]:
    return {
        "hidden_size": _DIM, "intermediate_size": 2 * _DIM, "num_hidden_layers": 1,
        "num_attention_heads": 2, "initializer_range": 0.2, "initializer_factor": 3.0,
    }  # fmt: skip


def _ends(tokenizer: Any) -> dict[str, Any]:
    return {
        "vocab_size": len(tokenizer), "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id,
    }  # fmt: skip


def _bert_tokenizer() -> Any:
    """WordPiece in which what the network knows by number has its number."""
    vocabulary = dict(_BERT_SPECIAL) | {".": 1012, "?": 1029}
    pieces = [*_LETTERS, *(f"##{letter}" for letter in _LETTERS), *WORDS, "-", "'", ","]
    taken = set(vocabulary.values())
    vocabulary |= {f"[unused{k}]": k for k in range(1030) if k not in taken}
    for piece in pieces:
        vocabulary.setdefault(piece, len(vocabulary))
    return transformers.BertTokenizer(vocab=vocabulary, model_max_length=512)


def _clip_tokenizer(pad: str, longest: int) -> Any:
    """Bytes, joined to the words above; "!" is token 0, the end the last one."""
    alphabet = ["!", *sorted(set(pre_tokenizers.ByteLevel.alphabet()) - {"!"})]
    trained = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    trained.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.BpeTrainer(
        vocab_size=900, end_of_word_suffix="</w>", show_progress=False, initial_alphabet=alphabet
    )
    trained.train_from_iterator([" ".join(WORDS)] * 5, trainer)
    merges = [tuple(pair) for pair in json.loads(trained.to_str())["model"]["merges"]]
    tokens = [*alphabet, *(f"{letter}</w>" for letter in alphabet)]
    tokens += [first + second for first, second in merges]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    vocabulary: dict[str, int] = {}
    for token in tokens:
        vocabulary.setdefault(token, len(vocabulary))
    return transformers.CLIPTokenizer(
        vocab=vocabulary, merges=merges, pad_token=pad, model_max_length=longest
    )


def _gemma_tokenizer() -> Any:
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>"]
    letters = [*"▁", *_LETTERS, *(f"<0x{k:02X}>" for k in range(256))]
    vocabulary = {token: k for k, token in enumerate([*special, *letters])}
    return transformers.GemmaTokenizer(
        vocab=vocabulary, merges=[], add_bos_token=False, add_eos_token=True, model_max_length=64
    )


def _save(
    folder: Path, kind: str, config: Any, tokenizer: Any, images: dict[str, Any], seed: int
) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = getattr(transformers, kind)(config)
    if hasattr(network, "box_head"):  # of OWL; with the rest as wild, boxes would have no size
        with torch.no_grad():
            network.box_head.dense2.weight *= 0.02
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    _write(folder / "preprocessor_config.json", images)


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2))
