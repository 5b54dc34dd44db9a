"""Where a sentence ends, and where a full stop is none."""

from itertools import pairwise

import pytest

from app.grounding.sentence_ends import LONGEST_BRACKET, SentenceEnds, sentence_ends


def sentences(prose: str) -> list[str]:
    ends = [0, *sentence_ends(prose), len(prose)]
    return [prose[start:end].strip() for start, end in pairwise(ends)]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("It rises. | It falls.", id="full stop"),
        pytest.param("Why? | Look! | So… | It falls", id="other marks"),
        pytest.param("What?! | It falls... | Really", id="several marks"),
        pytest.param("“It rises.” | (It falls.) | **It turns.** | So", id="what closes after it"),
        pytest.param("It rises. | “It falls.” | *It* turns. | [So](x) it is. | `x` is it", id="what opens before it"),
        pytest.param("It rises.\n | It falls", id="line end"),
        pytest.param("It has 3. | 4 are left. | 𝄞 is none", id="what is no small letter"),
        pytest.param("潮起。 | 潮落！ | “真的？” | 是", id="Chinese"),
        pytest.param("潮起。tide 3。 | 是".replace("。t", "。 | t"), id="Chinese before other letters"),
        pytest.param("A \\` there. | So", id="after an escaped backtick"),
        pytest.param("Use `x.y`. | Then `z`. | So", id="after code"),
        pytest.param("nodes, topics, etc. | The end", id="etc. before a capital"),
        pytest.param("The answer is no. | It falls on p. | So do I. | So", id="words that may be abbreviations"),
        pytest.param("It takes 5 ms. | It is the est. | So", id="words that are abbreviations with a capital"),
        pytest.param("It rises. | 12. Then it falls. | **Now.** | So", id="numbers and bold words after a sentence"),
        pytest.param("In 2019. | The end", id="year"),
        pytest.param(f"It (rises {'very ' * 50} high. | It falls", id="a bracket that is open for long"),
        pytest.param("**This is a whole long sentence here.** | It falls", id="bold sentence"),
    ],
)
def test_a_sentence_ends(text):
    assert sentences(text.replace("| ", "").replace("。 潮", "。潮")) == [each.strip() for each in text.split("|")]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("tides, e.g. The spring tide, i.e. The highest", id="e.g. and i.e."),
        pytest.param("Neap vs. Spring, cf. Fig. A and Eq. B by Dr. Who, Mr. X, Prof. Y et al. Z", id="abbreviations"),
        pytest.param("approx. Ten resp. Two", id="approx. and resp."),
        pytest.param("see No. 5, p. 3, pp. 4, ch. 2, sec. 7 and vol. 8", id="before numbers"),
        pytest.param("nodes, topics, etc. in it", id="etc. before a small letter"),
        pytest.param("The U.S. Navy at 3 p.m. Sunday", id="dotted letters"),
        pytest.param("by J. Smith and J.-P. Sartre", id="initials"),
        pytest.param("3.14 and v2.0 or 1.2.3", id="decimals and versions"),
        pytest.param("package.xml and setup.py call rclpy.init", id="names with dots"),
        pytest.param("it waits ... then it goes... and waits", id="ellipses"),
        pytest.param("Call `x. Y` and ``a ` b. C`` now", id="code"),
        pytest.param("see [the page](http://x/a.B 'So. It is') now", id="target of a link"),
        pytest.param("It rises (so it is. Really.) and falls", id="short brackets"),
        pytest.param("Do: 1. Start it; 2. Stop it", id="numbers of a list"),
        pytest.param("12. Start it", id="number before a sentence"),
        pytest.param("**Spring tide.** It comes at full moon", id="bold lead-in"),
        pytest.param("It rises!, he said. , so", id="no sentence begins with a comma"),
        pytest.param("It rises. ... it falls", id="marks apart"),
        pytest.param("“潮起！”，他说", id="Chinese before a comma"),
        pytest.param("... So", id="no word before it"),
    ],
)
def test_a_sentence_goes_on(text):
    assert sentences(text) == [text]


def ends_of(*atoms: str | int) -> list[str]:
    """The sentences of prose with citations, as one character each."""
    reader, text, start, found = SentenceEnds(), "", 0, []
    for atom in [char for part in atoms for char in (part if isinstance(part, str) else [part])]:
        text += atom if isinstance(atom, str) else str(atom)
        if (back := reader.read(atom)) is not None:
            found.append(text[start : len(text) - back])
            start = len(text) - back
    return [*found, text[start:]]


@pytest.mark.parametrize(
    ("atoms", "expected"),
    [
        pytest.param(("It rises. ", 1, 2, " Next"), ["It rises. 12", " Next"], id="after the full stop"),
        pytest.param(("It rises ", 1, ". Next"), ["It rises 1.", " Next"], id="before the full stop"),
        pytest.param(("It rises.", 1, "\nNext"), ["It rises.1", "\nNext"], id="glued"),
        pytest.param(("It rises. (", 1, ") Next"), ["It rises. (1)", " Next"], id="in brackets"),
        pytest.param(("It rises. **", 1, "** Next"), ["It rises. **1**", " Next"], id="bold"),
        pytest.param(("It rises. ", 1, " next"), ["It rises. 1", " next"], id="before a small letter"),
        pytest.param(("It rises. ", 1, ", next"), ["It rises. 1, next"], id="before a comma"),
        pytest.param(("**So it is.** ", 1, " It rises"), ["**So it is.** 1", " It rises"], id="after a bold sentence"),
        pytest.param(("真的?！是",), ["真的?！", "是"], id="marks of both kinds"),
        pytest.param(("潮起。", 1, "潮落"), ["潮起。1", "潮落"], id="Chinese"),
        pytest.param(("Tides, e.g. ", 1, " Next"), ["Tides, e.g. 1 Next"], id="after an abbreviation"),
        pytest.param(("It rises ", 1, " Next"), ["It rises 1 Next"], id="without a full stop"),
        pytest.param(("It rises. (Really. So.) It",), ["It rises.", " (Really. So.)", " It"], id="no citation"),
    ],
)
def test_citations_after_a_sentence_belong_to_it(atoms, expected):
    assert ends_of(*atoms) == expected


def test_an_end_is_known_with_the_first_character_after_it():
    reader = SentenceEnds()
    assert [reader.read(char) for char in "It is.  S"] == [None] * 8 + [3]


def test_brackets_without_end_do_not_slow_it_down():
    reader = SentenceEnds()
    for char in "(." * 5 * LONGEST_BRACKET:
        reader.read(char)
    assert len(reader._brackets) <= LONGEST_BRACKET
