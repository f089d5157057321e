"""The model: character n-grams weighted by TF-IDF, then a logistic regression."""

from collections.abc import Sequence
from dataclasses import dataclass

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from .dataset import Message


@dataclass(frozen=True)
class Prediction:
    """The most probable label of a text and the probability of every label."""

    text: str
    label: str
    probabilities: dict[str, float]


def build_pipeline(seed: int) -> Pipeline:
    """An untrained model. Character n-grams cope with the typing errors of short messages."""
    vectorizer = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True
    )
    classifier = LogisticRegression(C=3.0, max_iter=1000, random_state=seed)
    return Pipeline([("tfidf", vectorizer), ("classifier", classifier)])


def fit(messages: Sequence[Message], seed: int) -> Pipeline:
    """A model that has learned from `messages` and from nothing else.

    It is fitted in one thread: several would add numbers up in another order on another machine,
    and for some hundred messages they are slower.
    """
    texts = [message.text for message in messages]
    labels = [message.label for message in messages]
    with threadpool_limits(limits=1):
        return build_pipeline(seed).fit(texts, labels)


def predict(pipeline: Pipeline, texts: Sequence[str]) -> list[Prediction]:
    """A prediction for each of `texts`, in the same order; the label is the likeliest one."""
    labels = [str(label) for label in pipeline.classes_]
    predictions = []
    for text, row in zip(texts, pipeline.predict_proba(texts), strict=True):
        probabilities = dict(zip(labels, map(float, row), strict=True))
        likeliest = max(probabilities, key=probabilities.__getitem__)
        predictions.append(Prediction(text, likeliest, probabilities))
    return predictions
