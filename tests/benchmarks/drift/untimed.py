"""Real rows that come in no order."""

import pandas as pd

from . import sources
from .rows import Rows, rows_of

_ADULT = [
    "age",
    "workclass",
    "weight",
    "education",
    "education_years",
    "marital",
    "occupation",
    "relationship",
    "race",
    "sex",
    "gain",
    "loss",
    "hours",
    "country",
    "income",
]


def diamonds() -> Rows:
    """Tell the price of a diamond."""
    found = pd.read_csv(sources.DIAMONDS.local()).drop(columns="rownames")
    return rows_of("diamonds", found.drop(columns="price"), found["price"])


def adults() -> Rows:
    """Say whether an income is above 50,000 dollars."""
    found = pd.read_csv(sources.ADULTS.local(), names=_ADULT, skipinitialspace=True, na_values="?")
    inputs = found.drop(columns=["income", "weight"])
    return rows_of("adults", inputs, found["income"].str.startswith(">"))


def wages() -> Rows:
    """Tell the weekly wage of an American of 1988."""
    found = pd.read_csv(sources.WAGES.local()).drop(columns="rownames")
    return rows_of("wages", found.drop(columns="wage"), found["wage"])


def loans() -> Rows:
    """Tell the interest that is asked of a borrower: some 40 columns, many often missing."""
    found = pd.read_csv(sources.LOANS.local())
    left_out = ["rownames", "emp_title", "grade", "sub_grade", "interest_rate", "installment"]
    left_out += ["issue_month", "loan_status", "balance", "num_accounts_120d_past_due"]
    left_out += [str(n) for n in found if str(n).startswith("paid_")]
    return rows_of("loans", found.drop(columns=left_out), found["interest_rate"])


def crashes() -> Rows:
    """Say whether somebody died in a car crash."""
    found = pd.read_csv(sources.CRASHES.local())
    left_out = ["rownames", "dead", "caseid", "weight", "injSeverity", "yearacc"]
    return rows_of("crashes", found.drop(columns=left_out), found["dead"] == "dead")


def health() -> Rows:
    """Say whether a German goes to see a doctor."""
    found = pd.read_csv(sources.HEALTH.local())
    inputs = found.drop(columns=["rownames", "id", "docvis", "year"])
    return rows_of("health", inputs, found["docvis"] > 0)


def churn() -> Rows:
    """Say whether a customer leaves a telephone company."""
    found = pd.read_csv(sources.CHURN.local()).drop(columns="rownames")
    return rows_of("churn", found.drop(columns="churn"), found["churn"] == "yes")


def caravan() -> Rows:
    """Say whether a household insures a caravan: 85 columns of whole numbers."""
    found = pd.read_csv(sources.CARAVAN.local()).drop(columns="rownames")
    return rows_of("caravan", found.drop(columns="Purchase"), found["Purchase"] == "Yes")
