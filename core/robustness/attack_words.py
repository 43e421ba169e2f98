"""Attacks as users give them: "pgd", "pgd:steps=20,restarts=2", or what `crosslens.method` gives."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, get_type_hints

from ..attack import AttackMethod
from ..errors import ParameterError, unknown_name
from ..method.parameter import parameters
from ..method.parameter_text import members, value_of_text
from ..method.preset import with_preset
from ..plugins.registry import image_methods, method_class, with_parameters

__all__ = ["attack_of", "attacks_within", "full_word", "has", "split_words", "word_of"]


def split_words(texts: str | Iterable[str]) -> list[str]:
    """Words of attacks that were divided at commas: what has no name of its own is a setting of the one before.

    >>> split_words("pgd:steps=20,restarts=2,fgsm")
    ['pgd:steps=20,restarts=2', 'fgsm']
    """
    words: list[str] = []
    for part in (part for text in ([texts] if isinstance(texts, str) else texts) for part in text.split(",")):
        setting = "=" in part and ":" not in part.partition("=")[0]
        if words and setting:
            words[-1] += f",{part.strip()}"
        elif part.strip():
            words.append(part.strip())
    return words


def attack_of(given: Any) -> AttackMethod:
    """The attack that a word, a method or its class stands for.

    Raises:
        ParameterError: it is no attack on single images, or has no such setting; a setting without a value.
        PluginError: no method of that name.
    """
    if isinstance(given, AttackMethod):
        return given
    name, _, rest = given.partition(":") if isinstance(given, str) else ("", "", "")
    kind = method_class(name) if isinstance(given, str) else given
    if not (isinstance(kind, type) and issubclass(kind, AttackMethod)):
        raise ParameterError(
            f"{getattr(kind, 'name', None) or repr(given)} is not an attack on single images: {', '.join(_attacks())}"
        )
    return _built(kind, *_settings(kind, given, rest)) if rest else _built(kind, {})


def _attacks() -> Sequence[str]:
    return [name for name in image_methods() if issubclass(method_class(name), AttackMethod)]


def _built(kind: type[AttackMethod], values: Mapping[str, Any], preset: str | None = None) -> AttackMethod:
    built = with_parameters(with_preset(kind, preset) if preset else kind, values)
    assert isinstance(built, AttackMethod)
    return built


def _settings(kind: type[AttackMethod], word: str, rest: str) -> tuple[Mapping[str, Any], str | None]:
    """What a word sets, and the preset that it names."""
    hints, values = get_type_hints(kind), dict[str, Any]()
    known = [*(p.name for p in parameters(kind)), *(["preset"] if kind.presets else [])]
    for part in rest.split(","):
        name, equals, text = part.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise ParameterError(f"'{word}' has '{part}' where NAME=VALUE is right: {kind.name}:{known[0]}=...")
        if name not in known:
            raise ParameterError(unknown_name("parameter", name, known, of=kind.name))
        values[name] = text if name == "preset" else _value(hints[name], name, text)
    preset = values.pop("preset", None)
    return values, preset


def _value(annotation: Any, name: str, text: str) -> Any:
    """The text as the first of the annotation's types that it can be."""
    for kind in sorted(members(annotation), key=lambda kind: kind is str):
        try:
            return value_of_text(kind, text)
        except ValueError:
            continue
    raise ParameterError(f"{name} is {text!r}, which is not what this setting takes")


def has(attack: AttackMethod, name: str) -> bool:
    """Whether an attack has a parameter of this name."""
    return name in {p.name for p in parameters(attack)}


def attacks_within(given: Iterable[Any], norm: str) -> dict[str, AttackMethod]:
    """Attacks by their words, each in this norm where it can be told one.

    Raises:
        ParameterError: none, one twice, one whose radius is in another norm, or one that is told a radius of its own.
        PluginError: no method of that name.
    """
    found: dict[str, AttackMethod] = {}
    for word, attack in ((each, attack_of(each)) for each in given):
        label = word if isinstance(word, str) else word_of(attack)
        if label in found:
            raise ParameterError(f"{label!r} is given twice; give each attack once, or with other settings")
        _refuse_own(attack, norm)
        found[label] = replace(attack, norm=norm) if has(attack, "norm") else attack  # type: ignore[call-arg]
        if has(attack, "eps") and found[label].distance_norm != norm:
            raise ParameterError(
                f"the radius of {label} is in {attack.distance_norm}, and this curve is in {norm}; "
                f"give norm={attack.distance_norm!r}, or leave the attack out"
            )
        found[label].check_parameters()
    if not found:
        raise ParameterError(f"no attack is given; there are {', '.join(_attacks())}")
    return found


def word_of(attack: AttackMethod) -> str:
    """The word that stands for an attack, with the settings that are not the default: "pgd:steps=20".

    >>> from crosslens import method
    >>> word_of(method("pgd", steps=20, random_start=False))
    'pgd:steps=20,random_start=False'
    """
    own = [f"{name}={value}" for name, value in _given(attack).items()]
    own += [f"preset={attack.preset.library}"] if attack.preset is not None else []
    return attack.name + ":" * bool(own) + ",".join(own)


def full_word(attack: AttackMethod) -> str:
    """The same with its radius, where it has one, whether it is the default or not."""
    word = word_of(attack)
    if not has(attack, "eps") or "eps=" in word:
        return word
    return f"{word}{',' if ':' in word else ':'}eps={attack.eps}"  # type: ignore[attr-defined]


def _given(attack: AttackMethod) -> Mapping[str, Any]:
    """The parameters that are not the default."""
    return {p.name: value for p in parameters(attack) if (value := getattr(attack, p.name)) != p.default}


def _refuse_own(attack: AttackMethod, norm: str) -> None:
    """Refuse a radius or a norm in an attack's own settings: all attacks have those of the curve."""
    why = "all attacks of a curve have the same"
    wrong = {"eps": ("radius", why), "norm": ("norm", why), "towards": ("class", "a curve is about leaving one")}
    for name, value in _given(attack).items():
        if name in wrong and value != norm:
            own, reason = wrong[name]
            raise ParameterError(
                f"{attack.name} is given a {own} of its own, {value}, and {reason}: leave it out there"
            )
