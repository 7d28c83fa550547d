"""The flights example: one honest table, in time order, with nothing from after departure."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest

from trimtab.records.windows import Window
from trimtab.settings import load

PROJECT = Path(__file__).parents[2] / "examples" / "flights"
AFTERWARDS = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "late", "landed"}


@pytest.fixture(scope="module")
def module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("flights", PROJECT / "flights.py")
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


@pytest.fixture(scope="module")
def flights(module: ModuleType) -> pd.DataFrame:
    table = module.load()
    assert isinstance(table, pd.DataFrame)
    return table


def one(flights: pd.DataFrame, flight_id: str) -> pd.Series:
    return flights[flights["flight_id"] == flight_id].iloc[0]


def test_every_flight_that_landed_is_there_once(flights: pd.DataFrame) -> None:
    assert len(flights) == 327_346  # 336,776 less 9,430 cancelled or diverted
    assert flights["flight_id"].is_unique


def test_rows_are_in_time_order_and_cover_the_year(flights: pd.DataFrame) -> None:
    times = flights["scheduled_departure"]

    assert times.is_monotonic_increasing
    assert str(times.dt.tz) == "UTC"
    assert times.iloc[0] == pd.Timestamp("2013-01-01 10:15", tz="UTC")  # 05:15 in New York
    assert times.iloc[-1] == pd.Timestamp("2014-01-01 04:59", tz="UTC")


def test_a_known_flight_reads_as_in_the_timetable(flights: pd.DataFrame) -> None:
    flight = one(flights, "2013-01-01T05:15 UA1545 EWR-IAH")

    assert flight["hour"] == 5
    assert flight["weekday"] == 1  # a Tuesday
    assert flight["scheduled_minutes"] == 244  # 05:15 Eastern to 08:19 Central
    assert flight["landed"] == pd.Timestamp("2013-01-01 14:30", tz="UTC")  # 11 minutes late
    assert not flight["late"]
    assert flight["manufacturer"] == "Boeing"


def test_summer_time_and_far_zones_do_not_bend_the_schedule(flights: pd.DataFrame) -> None:
    minutes = flights.set_index("dest")["scheduled_minutes"]
    phoenix = flights[flights["dest"] == "PHX"]  # no summer time there
    month = phoenix["scheduled_departure"].dt.month
    medians = phoenix.groupby(month)["scheduled_minutes"].median()

    assert minutes.between(45, 12 * 60).all()  # Hartford to Honolulu
    assert medians.max() - medians.min() < 40


def test_nothing_is_known_before_it_happened(flights: pd.DataFrame, module: ModuleType) -> None:
    flown = flights["landed"] - flights["scheduled_departure"]

    assert (flown > pd.Timedelta(0)).all()
    assert not AFTERWARDS & set(module.INPUTS)
    assert {"month", "day", "year"}.isdisjoint(module.INPUTS)  # the next month is always unseen


def test_late_is_fifteen_minutes_after_the_scheduled_arrival(flights: pd.DataFrame) -> None:
    delay = flights["landed"] - flights["scheduled_departure"]
    minutes = delay.dt.total_seconds() / 60 - flights["scheduled_minutes"]
    late = flights["late"]

    assert (minutes[late] >= 15).all()
    assert (minutes[~late] < 15).mean() > 0.999  # but where take-off and time aloft say later
    assert 0.2 < late.mean() < 0.3


def test_inputs_are_of_types_that_an_endpoint_serves(
    flights: pd.DataFrame, module: ModuleType
) -> None:
    kinds = {str(kind) for kind in flights[module.INPUTS].dtypes}
    texts = flights[module.INPUTS].select_dtypes("object")

    assert kinds == {"int64", "float64", "object"}
    assert len(module.INPUTS) == 22
    assert not texts.isna().any(axis=None)
    assert all(texts[c].map(type).eq(str).all() for c in texts)


def test_weather_is_there_for_nearly_all_and_never_infinite(
    flights: pd.DataFrame, module: ModuleType
) -> None:
    weather = flights[module.WEATHER]

    assert weather[["temp", "visib", "wind_gust"]].isna().mean().max() < 0.01
    assert not np.isinf(weather).any(axis=None)
    assert (weather["wind_gust"].isna() == weather["wind_speed"].isna()).all()


def test_a_caller_cannot_spoil_the_table_for_the_next(module: ModuleType) -> None:
    module.load()["late"] = True

    assert not module.load()["late"].all()


def test_the_settings_name_columns_that_exist(flights: pd.DataFrame, module: ModuleType) -> None:
    settings = load(PROJECT)
    model = settings.model("late-arrival")
    inputs = [c for c in flights.columns if c not in model.reserved]

    assert model.reserved <= set(flights.columns)
    assert inputs == module.INPUTS
    assert set(model.gate.slices) <= set(inputs)
    assert model.source == "flights:load"


def test_the_replay_starts_with_a_whole_window(flights: pd.DataFrame) -> None:
    settings = load(PROJECT)
    demo = settings.project.demo
    assert demo is not None
    start = pd.Timestamp(demo.start, tz="UTC").to_pydatetime()
    before = flights["scheduled_departure"] < start

    assert Window.around(start, settings.model(demo.model).monitor.window).start == start
    assert 75_000 < before.sum() < 85_000
