"""Real rows with an order in time."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from . import sources
from .rows import Rows, rows_of

_FLIGHTS = Path(__file__).parents[3] / "examples" / "flights" / "flights.py"


def electricity() -> Rows:
    """Say whether the price rises in New South Wales; half-hours from May 1996 on."""
    found = pd.read_csv(sources.ELECTRICITY.local())
    times = _every("30min", "1996-05-07", len(found))
    inputs = found.drop(columns="class")
    return rows_of("electricity", inputs, found["class"] == 1, times, has_weeks=True)


def rain() -> Rows:
    """Say whether it will rain in Bellevue; days from 1949 on, those without data left out."""
    found = pd.read_csv(sources.RAIN.local())
    times = _every("1D", "1949-01-01", len(found))
    return rows_of("rain", found.drop(columns="target"), found["target"] == 1, times)


def flights() -> Rows:
    """Say whether a flight out of Newark will be late; every flight of 2013 that landed."""
    spec = importlib.util.spec_from_file_location("flights_of_the_example", _FLIGHTS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.load()
    found = found[found["origin"] == "EWR"].reset_index(drop=True)
    inputs = found[[name for name in module.INPUTS if name != "origin"]]
    return rows_of("flights", inputs, found["late"], found["scheduled_departure"], has_weeks=True)


def air_quality() -> Rows:
    """Tell carbon monoxide from the signals of cheap sensors; hours of a year in Italy."""
    found = pd.read_csv(sources.AIR_QUALITY.local())
    times = pd.to_datetime(found["Date"] + " " + found["Time"], format="%d/%m/%Y %H:%M:%S")
    found = found.drop(columns=["Date", "Time"]).astype(float).replace(-200.0, np.nan)
    names = [n for n in found if str(n).startswith("PT08") or n in ("T", "RH", "AH")]
    inputs = found[names].assign(hour=times.dt.hour, weekday=times.dt.dayofweek)
    return rows_of("air_quality", inputs, found["CO_GT"], times, has_weeks=True)


def hotel() -> Rows:
    """Tell the price of a night in a Portuguese hotel; bookings by day of arrival."""
    found = pd.read_csv(sources.HOTEL.local())
    left_out = ["rownames", "agent", "company", "arrival_date", "arrival_date_num"]
    left_out += ["historical_adr", "avg_price_per_room", "near_christmas", "near_new_years"]
    times = pd.to_datetime(found["arrival_date"])
    inputs = found.drop(columns=left_out).assign(weekday=times.dt.dayofweek)
    return rows_of("hotel", inputs, found["avg_price_per_room"], times, has_weeks=True)


def pollution() -> Rows:
    """Tell fine dust in Beijing from the weather; the hours of five years."""
    found = pd.read_csv(sources.POLLUTION.local())
    times = pd.to_datetime(found[["year", "month", "day", "hour"]])
    inputs = found.drop(columns=["No", "year", "month", "day", "pm2.5"])
    return rows_of("pollution", inputs, found["pm2.5"], times, has_weeks=True)


def bikes() -> Rows:
    """Tell how many bicycles are hired in Washington; the hours of two years."""
    found = pd.read_csv(sources.BIKES.local())
    times = pd.to_datetime(found["dteday"], format="mixed") + pd.to_timedelta(found["hr"], "h")
    names = ["hr", "holiday", "weekday", "workingday", "weathersit"]
    names += ["temp", "atemp", "hum", "windspeed"]
    return rows_of("bikes", found[names], found["cnt"], times, has_weeks=True)


def demand() -> Rows:
    """Tell the demand for electricity in Victoria; the half-hours of three years."""
    found = pd.read_csv(sources.DEMAND.local())
    times = pd.to_datetime(found["Time"], utc=True)
    local = times.dt.tz_convert("Australia/Melbourne")
    inputs = pd.DataFrame(
        {
            "temperature": found["Temperature"],
            "temperature_yesterday": found["Temperature"].shift(48),
            "demand_yesterday": found["Demand"].shift(48),
            "holiday": found["Holiday"].astype(bool),
            "hour": local.dt.hour + local.dt.minute / 60,
            "weekday": local.dt.dayofweek,
        }
    )
    return rows_of("demand", inputs[48:], found["Demand"][48:], times[48:], has_weeks=True)


def transformer() -> Rows:
    """Tell the oil temperature of a transformer from its loads; the hours of two years."""
    found = pd.read_csv(sources.TRANSFORMER.local(), parse_dates=["date"])
    times = found["date"]
    inputs = found.drop(columns=["date", "OT"]).assign(hour=times.dt.hour)
    return rows_of("transformer", inputs, found["OT"], times, has_weeks=True)


def storms() -> Rows:
    """Tell the wind of an Atlantic storm; every six hours of each storm since 1975."""
    found = pd.read_csv(sources.STORMS.local())
    times = pd.to_datetime(found[["year", "month", "day", "hour"]])
    inputs = found[["lat", "long", "pressure", "status", "hour", "month"]]
    return rows_of("storms", inputs, found["wind"], times)


def ridership() -> Rows:
    """Tell who takes a train in Chicago: 50 columns of trains, weather and games; daily."""
    found = pd.read_csv(sources.RIDERSHIP.local(), parse_dates=["date"])
    inputs = found.drop(columns=["rownames", "ridership", "date"])
    inputs = inputs.assign(weekday=found["date"].dt.dayofweek)
    return rows_of("ridership", inputs, found["ridership"], found["date"], has_weeks=True)


def weather() -> Rows:
    """Say whether it rains at an airport of New York; the hours of a year at three of them."""
    found = pd.read_csv(sources.WEATHER.local())
    left_out = ["rownames", "year", "month", "day", "precip", "time_hour"]
    times = pd.to_datetime(found["time_hour"])
    inputs = found.drop(columns=left_out)
    return rows_of("weather", inputs, found["precip"] > 0, times, has_weeks=True)


def pizzas() -> Rows:
    """Say whether a large pizza is ordered; the orders of a year."""
    found = pd.read_csv(sources.PIZZAS.local())
    times = pd.to_datetime(found["date"] + " " + found["time"])
    inputs = found[["name", "type"]].assign(
        hour=times.dt.hour, minute=times.dt.minute, weekday=times.dt.dayofweek
    )
    return rows_of("pizzas", inputs, found["size"] == "L", times, has_weeks=True)


def _every(step: str, start: str, rows: int) -> "pd.Series[Any]":
    return pd.Series(pd.date_range(start, periods=rows, freq=step))
