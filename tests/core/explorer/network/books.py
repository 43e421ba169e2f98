"""Books of small networks for the tests of their maps, layers and connections."""

from crosslens.explorer.book import Book, Shown


class MadeSurvey(dict):
    """Results by label, the label being the method's name."""

    folder = None

    def method_of(self, label):
        return label


def book_of(model, results=()):
    return Book(model, MadeSurvey(results), None, Shown(), "a network")
