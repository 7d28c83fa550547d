"""Where the data comes from: files of public repositories, pinned and kept in a cache folder."""

import hashlib
import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.environments import cache

_SECONDS = 120
"""The largest file has 4 MB."""


class NoDataError(Exception):
    """A file is neither in the cache nor to be had."""


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """One file at one commit."""

    repository: str
    commit: str
    path: str
    sha256: str

    @property
    def url(self) -> str:
        """The address of this very version."""
        return f"https://raw.githubusercontent.com/{self.repository}/{self.commit}/{self.path}"

    def local(self) -> Path:
        """Give the file in the cache, loaded there at first use. Raises NoDataError."""
        kept = cache() / "drift" / self.repository / self.commit / self.path
        if not kept.exists():
            content = self._load()
            kept.parent.mkdir(parents=True, exist_ok=True)
            partial = kept.with_name(f"{kept.name}.{os.getpid()}")
            partial.write_bytes(content)
            partial.replace(kept)
        if hashlib.sha256(kept.read_bytes()).hexdigest() != self.sha256:
            raise NoDataError(f"{kept} is not what it should be. Remove it, and it is loaded anew")
        return kept

    def _load(self) -> bytes:
        try:
            with urllib.request.urlopen(self.url, timeout=_SECONDS) as answer:
                content: bytes = answer.read()
        except OSError as error:
            raise NoDataError(f"{self.url} is not to be had: {error}") from None
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise NoDataError(f"{self.url} is not what it was")
        return content


def _r(path: str, sha256: str) -> File:
    """Name a file of the collection of R's data sets."""
    return File(
        repository="vincentarelbundock/Rdatasets",
        commit="1dcc2bf5f955cc1224a3e1307256e1fe86b68dae",
        path=f"csv/{path}.csv",
        sha256=sha256,
    )


def _streaming(path: str, sha256: str) -> File:
    return File(
        repository="scikit-multiflow/streaming-datasets",
        commit="f1eb9f068c3450233721c3beac6fb0e880e9e7d7",
        path=path,
        sha256=sha256,
    )


def _brownlee(path: str, sha256: str) -> File:
    return File(
        repository="jbrownlee/Datasets",
        commit="d20fcb6402ae34e653d4513b00f39257bb37ed7f",
        path=path,
        sha256=sha256,
    )


AIR_QUALITY = File(
    repository="ahmetmenevse/UCI_airquality",
    commit="7a5b1d23b342177edcb1775e2b012057fdc41cb3",
    path="AirQualityUCI.csv",
    sha256="5d04e790353ece1e263ad4251c6c285c076cbc55aaa0cb70e06214e1a265ec15",
)
BIKES = File(
    repository="justmarkham/DAT3",
    commit="03099f4777170d838680d923ed2a67c674ba297c",
    path="data/hour.csv",
    sha256="462d1c779b4d3825c35555e6dffa3063cc0d66b89feeffcaa5093cd475e4a1c3",
)
TRANSFORMER = File(
    repository="zhouhaoyi/ETDataset",
    commit="1d16c8f4f943005d613b5bc962e9eeb06058cf07",
    path="ETT-small/ETTh1.csv",
    sha256="f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
)
ELECTRICITY = _streaming(
    "elec.csv", "cdf901433885f29eca6911f70c0eeafb50d90596c879c30c5b99f5a2e8e734ff"
)
RAIN = _streaming("weather.csv", "3c38f05bdc5c4cb115f122414c66976e3662c875d96d7199d9e47fc46aff150e")
POLLUTION = _brownlee(
    "pollution.csv", "892e9559205d16d32623135c127a3951c12e46ea1e0b3093e107ce89a9fd60e2"
)
ADULTS = _brownlee(
    "adult-train.csv", "5b00264637dbfec36bdeaab5676b0b309ff9eb788d63554ca0a249491c86603d"
)
DEMAND = _r(
    "tsibbledata/vic_elec", "21727117d26cf16384cbc9bfd895bb437cc797155646a39d1cc3feeff14da452"
)
HOTEL = _r(
    "modeldata/hotel_rates", "95cbaa8737181fb7dfc340655f37d52cd3e5ebbc0716407705f43ee83ecbf2a4"
)
PIZZAS = _r("gt/pizzaplace", "243425c7184d31b35b09ae72c468154b1fb3434ec5d4f5cd32c8beb89d1b8801")
STORMS = _r("dplyr/storms", "f7c58accf7472a32ee92218afba12843ae3952529ce8247ba7ae0db6c7602b6c")
RIDERSHIP = _r(
    "modeldata/Chicago", "1a95c62b6fe8268583f0d66a4304640d23d313d50cb211b1ded8ebe621e9b109"
)
WEATHER = _r(
    "nycflights13/weather", "e69580cc3c18070692b6bf2f52e890803a313507c23283b15f06dbbae86451cf"
)
DIAMONDS = _r(
    "ggplot2/diamonds", "974c2ce1c1ce245508bd357ca11a7fba2b37813ecf0f1158808a9249ebff67a1"
)
WAGES = _r("AER/CPS1988", "ef5ee9cbf3674f9cf242549517cf7801bffc5e98c1006055c9fdefebaf386251")
LOANS = _r(
    "openintro/loans_full_schema",
    "50561436dd63f94233e341a418f00326421b65363cb3eb527b11e2e623a5dd41",
)
CRASHES = _r("DAAG/nassCDS", "33d6f4a2d32e32153817f8df338757c74469b1168b496261313b18422adeadc3")
HEALTH = _r("COUNT/rwm5yr", "d9f8b54a760b88c26296de82447db15698efe6672ccaeb8416cd5c36941254e2")
CHURN = _r(
    "modeldata/mlc_churn", "58f21b63c526bded47dd6df9d58d03b11611d3ad628c2aa5e353f3abb8d51a9c"
)
CARAVAN = _r("ISLR/Caravan", "785be82cdfea57df561296dd88f07a8ab7a0676976ac902c6cc66b8104d87838")
