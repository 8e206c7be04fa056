"""Classifiers of scikit-learn for the features of a cache, with the settings that their users choose."""

import time

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC


def logistic_regression(fewest):
    """10 penalties, standardized features."""
    return make_pipeline(StandardScaler(), LogisticRegressionCV(Cs=10, cv=min(5, fewest), max_iter=1000))


def linear_svm(fewest):
    """6 penalties, features as they are: standardized ones take it ten times as long."""
    return GridSearchCV(LinearSVC(), {"C": [1e-4, 1e-3, 1e-2, 1e-1, 1, 10]}, cv=min(5, fewest))


def nearest_neighbours(fewest):
    """1 to 15 neighbours, cosine distance."""
    numbers = [number for number in (1, 3, 5, 9, 15) if number <= max(1, fewest)]
    return GridSearchCV(KNeighborsClassifier(metric="cosine"), {"n_neighbors": numbers}, cv=min(5, fewest))


def linear_discriminant_analysis(_):
    """Shrinkage by Ledoit and Wolf, which needs no choice."""
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")


PEERS = {"LogisticRegressionCV": logistic_regression, "linear SVM": linear_svm, "k-NN": nearest_neighbours,
         "LDA": linear_discriminant_analysis}


def measure(name, cache, train, test):
    """Test accuracy of a peer, and seconds of the processor for fit and answers, reading left out. `train` and `test` are digests."""
    (x, y), (tx, ty) = cache.rows(train), cache.rows(test)
    classes = sorted(set(y))
    fewest = min(sum(y == label) for label in classes)
    started = time.process_time()
    model = PEERS[name](int(fewest)).fit(x, y)
    accuracy = float((model.predict(tx) == ty).mean())
    return accuracy, time.process_time() - started
