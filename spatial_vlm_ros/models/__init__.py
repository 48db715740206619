"""Spatial vision-language models on Qwen2.5-VL: networks only."""
