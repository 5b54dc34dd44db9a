"""Code of an answer, found again in a passage."""

import pytest

from app.grounding.code_lines import lines_in

PASSAGE = "Write:\n\n```python\nimport rclpy\n\nnode = Node('a')  # the node\nnode.spin()\n```\n\nand run it."


@pytest.mark.parametrize(
    ("code", "quote"),
    [
        pytest.param(
            "import rclpy\nnode.spin()", "import rclpy\n\nnode = Node('a')  # the node\nnode.spin()", id="lines"
        ),
        pytest.param("import rclpy", "import rclpy", id="one line"),
        pytest.param("  import   rclpy ", "import rclpy", id="other blanks"),
        pytest.param("\n\nimport rclpy\n\n", "import rclpy", id="empty lines"),
        pytest.param("node = Node('a') # the node", "node = Node('a')  # the node", id="with its comment"),
        pytest.param("```python\nimport rclpy\n```", "import rclpy", id="with fences"),
    ],
)
def test_code_whose_lines_all_stand_there_is_found(code, quote):
    start, end = lines_in(PASSAGE, code)
    assert PASSAGE[start:end] == quote


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import rclpy\nimport os", id="another line"),
        pytest.param("node.spin( )", id="other code"),
        pytest.param("Node('a')", id="a part of a line"),
        pytest.param("Import rclpy", id="other letters"),
        pytest.param("#include <evil.h>\nimport rclpy", id="a directive is no comment"),
        pytest.param("import rclpy#x", id="no comment"),
        pytest.param("# Only a comment.", id="no code"),
        pytest.param("node = Node('a')", id="without the comment"),
        pytest.param("# My own.\nnode.spin()", id="a comment of its own"),
        pytest.param("node.spin()  // goes on", id="a comment behind"),
        pytest.param("node.spin()\nimport rclpy", id="another order"),
        pytest.param("import rclpy\n``` and more\nnode.spin()", id="words behind a fence"),
        pytest.param("", id="nothing"),
        pytest.param("```\n```", id="only fences"),
    ],
)
def test_other_code_is_not(code):
    assert lines_in(PASSAGE, code) is None


def test_a_line_that_is_there_twice_is_quoted_once():
    assert lines_in("x\ny\nx\n", "x") == (0, 1)


def test_offsets_are_right_with_other_line_ends():
    assert lines_in("a\r\nb\r\n", "b") == (3, 4)
