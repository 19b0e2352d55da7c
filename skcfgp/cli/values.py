"""Values of options that are more than a word or a number."""

import json
from itertools import takewhile

import click


class WithGoal(click.Command):
    """Take ``--goal between A B`` as one value, quoted or not; A and B may be negative."""

    def parse_args(self, ctx, args):
        """Join the words of a goal, and parse the arguments."""
        words, args = [*args], []
        while words:
            args.append(words.pop(0))
            if args[-2:] == ["--goal", "between"] or args[-1] == "--goal=between":
                limits = list(takewhile(_is_no_option, words[:2]))
                args[-1], words = " ".join([args[-1], *limits]), words[len(limits) :]
        return super().parse_args(ctx, args)


def _is_no_option(word):
    try:
        float(word)  # may be negative
    except ValueError:
        return not word.startswith("-")
    return True


class Goal(click.ParamType):
    """A goal, checked before a missing argument, which may be among the words after 'between'."""

    name = "goal"

    def convert(self, value, param, ctx):
        """Return the goal as it was given."""
        from ..campaign.goals import parse_goal

        try:
            parse_goal(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        return value


def json_object(text):
    """Read the search terms of a database."""
    try:
        if isinstance(found := json.loads(text), dict):
            return found
        problem = f"got {text!r}"
    except ValueError as error:
        problem = f"got {text!r}: {error}"
    raise click.UsageError(
        f'expected a JSON object of search terms, such as \'{{"elements": ["N"]}}\', {problem}'
    )
