"""Numbers, units, dates, versions and identifiers of a sentence must stand in the passage."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.grounding.evidence import Evidence
from app.grounding.facts import problems
from app.grounding.identifiers import identifiers
from app.grounding.quantities import quantities
from app.grounding.words import WordReader

READER = WordReader(lambda text: [text] if len(text) > 3 else [])


def evidence(text: str, *headings: str) -> Evidence:
    return Evidence.of(text, headings, READER)


def wrong(sentence: str, *passages: str) -> list[str]:
    return list(problems(sentence, [evidence(passage) for passage in passages]))


class TestQuantities:
    @pytest.mark.parametrize(
        ("text", "values"),
        [
            ("1,000 or 1e3 or 10^3 or a thousand", [1000] * 4),
            ("twenty-five, two hundred, 3 million", [25, 200, 3e6]),
            ("minus -5 but 3-5 and x-5", [-5, 3, 5, 5]),
            ("two and a half hours", [2.5]),
            ("half a second", [0.5]),
            ("1. one item\n2) another of 7", [1, 7]),
            ("an elf and its acht, drei robots", []),
            ("v^2, tf2, ROS2 and 3D", [3]),
            ("[1, 2], [90 minutes], \\[90\\] days, [90] days", [1, 2, 90, 90, 90]),
            ("the third is x[0], see [12], (`[0]`) or [3](page)", []),
            ("^90 minutes, _90_ days, x128 characters", [90, 90, 128]),
            ("x86 and x64 machines, v2, h264, a_12, x^90", []),
            ("64 million, 10 thousand, 64k, 1.5 bn, 64 dozen", [64e6, 1e4, 64e3, 1.5e9, 768]),
            ("64,000,000 or 64M, half a million, half a dozen, a dozen", [64e6, 64e6, 5e5, 6, 12]),
            ("10 to 20 million, 1-2 thousand, 1 to 100 thousand kg", [10e6, 20e6, 1e3, 2e3, 1e3, 1e5]),
            ("one to a hundred, May 5, 20 million", [1, 100, 5, 20e6]),
            ("64 kB, 64kB, 10-fold, 300 K", [64, 64, 10, 300]),
        ],
        ids=[
            "spellings",
            "words",
            "signs",
            "a half more",
            "half",
            "numbers of list items",
            "German words that count no time",
            "parts of names",
            "in brackets",
            "in brackets of an index or a link",
            "after a sign",
            "parts of names in prose",
            "scales",
            "scales of other spellings",
            "a scale of both",
            "a scale of one",
            "no scales",
        ],
    )
    def test_are_read_as_values(self, text, values):
        assert [one.value for one in quantities(text)] == values

    @pytest.mark.parametrize(
        "spellings",
        [
            "10 Hz|ten hertz|10Hz|10 times per second|10 times a second|0.01 kHz",
            "0.5 m|50 cm|500 millimetres|half a metre",
            "9.81 m/s^2|9.81 m/s²|9.81 metres per second squared",
            "3 N·m|3 Nm|3 N m|3 newton metres|3 newton-meters",
            "40%|40 %|40 percent|40 per cent|forty percent",
            "90°|90 deg|90 degrees|ninety-degree",
            "2 rad/s|2 radians per second",
            "36 km/h|10 m/s|36 kilometres per hour",
            "200 ms|0.2 s|0.2 seconds|200-millisecond",
            "100 euros|€100|€ 100|100 €|EUR 100|100 EUR|a hundred euros",
            "$2 million|$2m|$2,000,000|US$2M|USD 2 million|2 million dollars",
            "£5 per month|5 pounds a month|5 pounds/month",
            "¥300|300 yen",
            "50 ml|0.05 l|50 mL|0.05 litres|50 millilitres|0.5 dl|0.00005 m³",
            "28 °C|28°C|28 degrees Celsius|28 Celsius|28-degree-Celsius",
            "7 Tage|sieben Tagen|sieben Tage|seven days|168 Stunden",
            "acht bis zehn Stunden|8 bis 10 Stunden|8 to 10 hours",
            "82 °F|82 degrees Fahrenheit",
        ],
        ids=lambda spellings: spellings.split("|")[0],
    )
    def test_are_the_same_in_every_spelling(self, spellings):
        first, *others = [quantities(spelling)[0] for spelling in spellings.split("|")]
        assert first.unit is not None
        assert all(first.is_stated_by(other) and other.is_stated_by(first) for other in others)

    @pytest.mark.parametrize(
        ("claimed", "stated"),
        [
            ("10 ms", "10 Hz"),
            ("10 m", "10 m/s"),
            ("10 ms", "10 s"),
            ("0.5", "50 %"),
            ("6 radians", "6 degrees"),
            ("10 s", "10"),
            ("5", "-5.5"),
            ("100 dollars", "100 euros"),
            ("$100", "€100"),
            ("£100", "100 euros"),
            ("100 yen", "100 dollars"),
            ("50 cents", "50 euros"),
            ("€5 per month", "€5 per week"),
            ("50 l", "50 ml"),
            ("28 °F", "28 °C"),
            ("28 degrees Fahrenheit", "28 degrees Celsius"),
            ("28 degrees", "28 °C"),
            ("24 Tage", "24 Stunden"),
            ("zwei Wochen", "2 Monate"),
            ("sieben Tage", "neun Tage"),
        ],
    )
    def test_of_another_unit_or_value_are_others(self, claimed, stated):
        assert not quantities(claimed)[0].is_stated_by(quantities(stated)[0])

    def test_of_a_range_share_its_unit(self):
        first, second = quantities("from 5 to 10 Hz")
        assert first.unit == second.unit != None  # noqa: E711 - both at once

    def test_of_powers_without_a_value_are_infinite(self):
        assert quantities("9999^99")[0].value == math.inf


class TestNumbers:
    @pytest.mark.parametrize(
        ("sentence", "passage"),
        [
            ("It has three parts.", "The 3 parts are listed."),
            ("It runs at 1000 Hz.", "It runs at 1 kHz."),
            ("Both wheels: two motors.", "Both have a motor."),
            ("One of them falls.", "Some fall."),
            ("2. It runs.", "It runs."),
            ("Wait 200 ms.", "| Step | Time (ms) |\n| --- | --- |\n| wait | 200 |"),
            ("The rate is 50 Hz.", "rate_hz: 50"),
            ("It takes a few seconds.", "It takes about 5 s."),
            ("It weighs 50 kg.", "Its mass is 50 kilograms."),
            ("It has 64 million characters.", "It has 64,000,000 characters."),
            ("It has 64 million characters.", "It has 64 million characters."),
            ("It has 64k characters.", "It has 64 thousand characters."),
        ],
        ids=[
            "a word for a digit",
            "another prefix",
            "both",
            "one as a pronoun",
            "a list number",
            "the unit in the table's head",
            "the unit in the name",
            "a unit alone",
            "a spelled unit",
            "a scale",
            "a scale as it is",
            "a scale as a letter",
        ],
    )
    def test_that_the_passage_has_are_right(self, sentence, passage):
        assert wrong(sentence, passage) == []

    @pytest.mark.parametrize(
        ("sentence", "passage", "named"),
        [
            ("It has four parts.", "It has three parts.", "four"),
            ("It takes 10 ms.", "It runs at 10 Hz.", "10 ms"),
            ("It takes 20 s.", "It takes 5 s, then 20 more.", "20 s"),
            ("Wait 200 s.", "| Step | Time (ms) |\n| --- | --- |\n| wait | 200 |", "200 s"),
            ("It takes a few minutes.", "It takes a few seconds.", "minutes"),
            ("It falls by 40.", "It falls by 40.5.", "40"),
            ("About 33 percent.", "1 of 3.", "33 percent"),
            ("It has 64 million characters.", "It has 64 characters.", "64 million"),
            ("It weighs 10k tonnes.", "It weighs 10 tonnes.", "10k tonnes"),
            ("It takes 54 dozen.", "It takes 54.", "54 dozen"),
            ("It takes [90 minutes].", "It takes 60 minutes.", "90 minutes"),
            ("It has x128 characters.", "It has 64 characters.", "128"),
        ],
        ids=[
            "changed",
            "another unit",
            "a unit that it lacks",
            "another unit in a table",
            "a unit alone",
            "rounded",
            "computed",
            "a scale",
            "a scale as a letter",
            "a dozen",
            "in brackets",
            "after an x",
        ],
    )
    def test_that_it_has_not_are_named(self, sentence, passage, named):
        assert [problem for problem in wrong(sentence, passage) if named in problem]

    @pytest.mark.parametrize(
        "passage",
        [
            "It serves 600 requests per minute.",
            "It serves 600 requests a minute.",
            "It serves 600 requests/min.",
            "It serves 600 very long requests each minute.",
            "The limit per minute is 600 requests.",
            "It serves 500 to 600 requests every minute.",
            "| Plan | Requests per minute |\n| --- | --- |\n| Pro | 600 |",
            "| Plan | Requests (per minute) |\n| --- | --- |\n| Pro | 600 |",
            "| Plan | Requests / min |\n| --- | --- |\n| Pro | 600 |",
        ],
    )
    @pytest.mark.parametrize(
        ("sentence", "is_right"),
        [
            ("It serves 600 requests per minute.", True),
            ("It serves 600 requests a minute.", True),
            ("It serves 600 requests.", True),
            ("It serves 600 requests per hour.", False),
            ("It serves 600 requests/day.", False),
            ("It serves 600 requests each week.", False),
        ],
    )
    def test_of_a_rate_have_its_time(self, sentence, is_right, passage):
        assert (wrong(sentence, passage) == []) == is_right

    @pytest.mark.parametrize(
        ("sentence", "passage", "is_right"),
        [
            ("It costs 100 euros.", "Prices are in euros: basic 100, pro 200.", True),
            ("It costs €100.", "| Plan | Price (€) |\n| --- | --- |\n| Basic | 100 |", True),
            ("It costs 100 dollars.", "Prices are in euros: basic 100, pro 200.", False),
            ("It costs $100.", "| Plan | Price (€) |\n| --- | --- |\n| Basic | 100 |", False),
        ],
    )
    def test_of_a_price_may_stand_apart_from_the_currency(self, sentence, passage, is_right):
        assert (wrong(sentence, passage) == []) == is_right

    @pytest.mark.parametrize(
        "head", ["Output in tonnes", "Output (t)", "Output [t]", "Output, tonnes", "Output / t", "**Output, in t**"]
    )
    @pytest.mark.parametrize(
        ("sentence", "is_right"),
        [("In 1205, 5,200 tonnes came out.", True), ("In 1205, 5,200 kg came out.", False)],
    )
    def test_of_a_table_have_the_unit_of_its_head(self, sentence, is_right, head):
        table = f"| Year | {head} |\n| --- | --- |\n| 1205 | 5,200 |\n"
        assert (wrong(sentence, table) == []) == is_right

    @pytest.mark.parametrize("head", ["Made in Siena", "Time in state", "On / off", "Change in sales, relative"])
    def test_of_a_table_have_no_unit_that_the_head_has_not(self, head):
        table = f"| Year | {head} |\n| --- | --- |\n| 1205 | 5,200 |\n"
        assert evidence(table).quantities[-1].unit is None

    LIST = "The events are:\n\n- start\n  - cold\n  - warm\n- stop,\n  which ends it\n- pause\n\nIt has six legs.\n"
    TABLE = "| Plan | Price |\n| --- | --- |\n| A | low |\n| B | high |\n| C | none |\n| D | none |\n"

    @pytest.mark.parametrize(
        ("sentence", "passage", "is_right"),
        [
            ("There are three event types.", LIST, True),
            ("The 3 events are listed.", LIST, True),
            ("There are four plans.", TABLE, True),
            ("It has four plans.", LIST + TABLE, True),
            ("There are four event types.", LIST, False),
            ("There are five plans.", TABLE, False),
            ("There are six plans.", TABLE, False),
            ("It has three legs.", LIST, False),
            ("There are three wheels.", LIST, False),
            ("It stops after three events.", LIST, False),
        ],
    )
    def test_may_count_a_list_or_the_rows_of_a_table(self, sentence, passage, is_right):
        assert (wrong(sentence, passage) == []) == is_right

    def test_may_come_from_two_passages(self):
        sentence = "It weighs 50 kg and walks at 2 m/s."
        assert wrong(sentence, "It weighs 50 kg.", "It walks at 2 m/s.") == []
        assert wrong(sentence, "It weighs 50 kg.")

    def test_may_stand_in_the_headings(self):
        assert list(problems("It is version 24.04.", [evidence("It is long-lived.", "Ubuntu 24.04")])) == []


class TestDatesAndVersions:
    PASSAGE = "Humble (May\n2022, Ubuntu 22.04) needs v2.0.1 and ISO 13850; it was revised on 2024-03-05."

    @pytest.mark.parametrize(
        "sentence",
        [
            "Humble is of May 2022.",
            "It needs 2.0.1.",
            "It follows ISO 13850.",
            "It is for Ubuntu 22.04.",
            "See 2024-03-05.",
        ],
    )
    def test_that_the_passage_has_are_right(self, sentence):
        assert wrong(sentence, self.PASSAGE) == []

    @pytest.mark.parametrize(
        "sentence",
        [
            "Humble is of June 2022.",
            "Humble is of May 2023.",
            "It came in March.",
            "It needs 2.0.2.",
            "It needs v2.1.",
            "It follows ISO 2022.",
            "It is for Ubuntu 24.04.",
            "See 2024-03-06.",
        ],
    )
    def test_that_it_has_not_are_named(self, sentence):
        assert wrong(sentence, self.PASSAGE)

    SALTWORKS = (
        "In 1797 the saltworks had 30 pans, 29 boilers and 12 wells. On 30 September 1980 they closed.\n"
        "The fair is held from 1 to 5 May; on 29 June 1981 it failed."
    )

    @pytest.mark.parametrize(
        "sentence",
        [
            "In 1980, the saltworks closed.",
            "The saltworks closed on September 30, 1980.",
            "They closed on the 30th of September 1980.",
            "The fair begins on 1 May.",
            "After 1797 they grew, Since 1980 not.",
        ],
    )
    def test_in_another_order_are_right(self, sentence):
        assert wrong(sentence, self.SALTWORKS) == []

    @pytest.mark.parametrize(
        ("sentence", "passage", "is_right"),
        [
            ("It is of the seventeenth century.", "It is of the sixteenth century; 17 remain.", False),
            ("It is of the 17th century.", "It is of the sixteenth century; 17 remain.", False),
            ("It is of the 16th century.", "It is of the sixteenth century.", True),
            ("It is a sixteenth-century house.", "It is of the 16th century.", True),
            ("It is of the 16th century.", "It is of the sixteenth and seventeenth centuries.", True),
            ("It is of the 16th or 17th century.", "It is of the sixteenth to the late seventeenth century.", True),
            ("It is of the 16th century.", "| House | Century |\n| --- | --- |\n| it | 16 |", True),
            ("The first robot came.", "A robot came in the sixteenth century.", True),
        ],
    )
    def test_of_a_century_are_read_in_words(self, sentence, passage, is_right):
        assert (wrong(sentence, passage) == []) == is_right

    @pytest.mark.parametrize(
        "sentence",
        [
            "The saltworks closed on September 29, 1980.",
            "They closed on the 29th of September.",
            "They closed on 30 October 1980.",
            "They closed on 30th June.",
            "They closed in September 1981.",
            "The fair begins on May 12.",
        ],
    )
    def test_of_another_day_month_or_year_are_named(self, sentence):
        assert wrong(sentence, self.SALTWORKS)


class TestAsides:
    PASSAGE = (
        "**Humble Hawksbill** (May 2022, Ubuntu 22.04, until 2027) and **Jazzy Jalisco** (May 2024, Ubuntu 24.04,\n"
        "until 2029, board 7); board 7 is old."
    )

    @pytest.mark.parametrize(
        "sentence",
        [
            "Jazzy is for Ubuntu 24.04.",
            "Humble Hawksbill came in 2022.",
            "Humble ends in 2027, Jazzy in 2029.",
            "Ubuntu 22.04 is old.",
            "Humble runs on board 7.",
        ],
        ids=["its own", "the full name", "both", "no such name", "a number that stands outside, too"],
    )
    def test_are_of_the_name_before_them(self, sentence):
        assert wrong(sentence, self.PASSAGE) == []

    @pytest.mark.parametrize(
        ("sentence", "problem"),
        [
            ("Jazzy is for Ubuntu 22.04.", "the number 22.04 is not said of Jazzy Jalisco in the passage"),
            ("Humble ends in 2029.", "the number 2029 is not said of Humble Hawksbill in the passage"),
        ],
    )
    def test_are_of_no_other(self, sentence, problem):
        assert problem in wrong(sentence, self.PASSAGE)


class TestIdentifiers:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("Use `rclpy.init()` and /cmd_vel.", ["rclpy.init", "/cmd_vel"]),
            (
                "sensor_msgs/msg/Image, std::vector, package.xml",
                ["sensor_msgs/msg/Image", "std::vector", "package.xml"],
            ),
            ("Pass --ros-args to MoveIt.", ["--ros-args", "MoveIt"]),
            ("input/output, and/or, e.g. rad/s; i.e. U.S. robots", []),
            ("`colcon build --symlink-install`", ["colcon", "build", "--symlink-install"]),
            ("`GET /tides/{id}/log` or /tides/:id", ["/tides/{id}/log", "/tides/:id", "GET"]),
        ],
        ids=["code and topic", "paths and names", "option and camel case", "prose", "a command", "paths with slots"],
    )
    def test_are_told_from_prose(self, text, found):
        assert identifiers(text) == found

    PASSAGE = (
        "Call `rclpy.init`, publish `sensor_msgs/msg/Image` on `/cmd_vel`: `ros2 launch demo`. PID keeps `u = Kp * e`."
    )

    @pytest.mark.parametrize(
        "sentence",
        [
            "Call `rclpy.init()` first.",
            "It sends an `Image`.",
            "It sends `sensor_msgs/Image` on /cmd_vel.",
            "Run `ros2 launch demo`.",
            "PIDs keep `u=Kp*e`.",
            "It is **not** **published**.",
            "It uses PiD.",
        ],
    )
    def test_that_the_passage_has_are_right(self, sentence):
        assert wrong(sentence, self.PASSAGE) == []

    @pytest.mark.parametrize(
        "sentence",
        [
            "Call `rclpy.Init` first.",
            "Call `rclpy.shutdown`.",
            "It sends `geometry_msgs/msg/Image`.",
            "It listens on /cmd_vel_out.",
            "It listens on /cmd.",
            "Run `ros2 publish demo`.",
            "It uses MPC.",
            "It keeps `u = Kd * e`.",
            "It keeps `u = Kp * d`.",
            "The *Humble* release.",
        ],
    )
    def test_that_it_has_not_are_named(self, sentence):
        assert wrong(sentence, self.PASSAGE)


class TestRequests:
    PASSAGE = (
        "`POST /tides` adds one, `GET` or `DELETE /tides/{id}` reads or drops it: `curl -X GET https://sea.example/tides/{id}`.\n"
        "Send a POST request to `/oauth/token`. A log is at `/tides/{id}/log`.\n\n"
        "| Path | Verb |\n|---|---|\n| `/wells` | GET |\n| `/pipes` | POST |\n\nRun `sudo apt install tide-gauge`."
    )

    @pytest.mark.parametrize(
        "sentence",
        [
            "`DELETE /tides/{id}` drops it.",
            "It is read with GET /tides/{id}.",
            "A POST to the endpoint `/oauth/token` gives one.",
            "`GET /tides/{id}/log` has the log.",
            "`GET /wells` and POST /pipes.",
            "Run `apt install tide-gauge`.",
        ],
        ids=["in code", "in prose", "in words", "no verb in the passage", "in a table", "a command"],
    )
    def test_that_the_passage_has_are_right(self, sentence):
        assert wrong(sentence, self.PASSAGE) == []

    @pytest.mark.parametrize(
        "sentence",
        [
            "`DELETE /tides` drops it.",
            "It is read with `POST /tides/{id}`.",
            "GET /oauth/token gives one.",
            "A GET request to `/oauth/token` gives one.",
            "`GET` or `POST /tides/{id}`.",
            "It is at `/oauth`.",
            "It is at /tides/{name}.",
            "Run `apt install gauge`.",
            "Run `apt remove tide-gauge`.",
            "Run `sudo tide-gauge`.",
        ],
    )
    def test_that_it_has_not_are_named(self, sentence):
        assert wrong(sentence, self.PASSAGE)


fragments = st.sampled_from(
    [
        "`",
        "``",
        "GET /a/",
        "{b}",
        "5",
        " Hz",
        "-",
        "^",
        "e9",
        ",000",
        "half a ",
        "/a_b",
        "**",
        "1. ",
        "\n",
        "|",
        "per second",
    ]
)
texts = st.text(max_size=200) | st.lists(fragments | st.text(max_size=5), max_size=30).map("".join)


@settings(max_examples=200, deadline=None)
@given(texts, texts)
def test_any_sentence_can_be_held_against_any_passage(sentence, passage):
    assert all(isinstance(problem, str) for problem in wrong(sentence, passage))


@settings(max_examples=200, deadline=None)
@given(texts)
def test_a_text_has_its_own_numbers_and_names(text):
    sentence = " ".join(text.split())
    assert [one for one in wrong(sentence, sentence) if "number" in one or "version" in one] == []


def test_the_label_of_an_item_need_not_be_a_word_of_the_passage(judge):
    passage = [judge.evidence("A delivery that fails is tried again, 8 times at most.", ["Webhooks"])]
    assert list(problems("**Retries** \u2013 a delivery is tried again 8 times at most.", passage)) == []
    assert list(problems("A delivery that *bounces* is tried again.", passage)) != []
