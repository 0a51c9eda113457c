"""Makes the demo's tables from the wheel of CityLearn 1.8.0: ``python extract.py WHEEL [FOLDER]``.

* Only the standard library, and no network: ``pip download --no-deps CityLearn==1.8.0`` fetches
  the wheel first.
* The same wheel gives the same bytes. Another wheel is refused, by its SHA-256.
* The source counts hours 1 to 24 and names month and weekday, but no year. Row n is written as the
  n-th hour after NOMINAL_START, a year in which the weekdays fall as they do in the source; each
  row's month, hour and weekday are compared with that, and a mismatch stops the extract.
* The source's clock has no zone. Its local hours are written as if they were UTC.
"""

from __future__ import annotations

import csv
import hashlib
import io
import sys
import zipfile
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Final, TypeAlias

WHEEL_SHA256: Final = "cde0cdf53ace908cba41c237335d91bc1434e54deaf6086047e4cf7589c0067b"
FOLDER: Final = "citylearn/data/citylearn_challenge_2022_phase_all"
HOMES: Final = 17
HOURS: Final = 14 * 24
NOMINAL_START: Final = datetime(2016, 8, 1, tzinfo=UTC)

Row: TypeAlias = dict[str, str]


def extract(wheel: Path, target: Path) -> None:
    """Write ``household-energy.csv`` and ``weather-carbon.csv`` into the folder ``target``."""
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
        raise SystemExit(f"{wheel.name} is not the wheel of CityLearn 1.8.0 that this extract is made from")
    with zipfile.ZipFile(wheel) as archive:
        homes = [_rows(archive, f"Building_{number}.csv") for number in range(1, HOMES + 1)]
        weather = _rows(archive, "weather.csv")
        carbon = _rows(archive, "carbon_intensity.csv")
    _write(
        target / "household-energy.csv",
        ("household_id", "time", "consumption_kwh", "solar_w_per_kw"),
        _energy(homes),
    )
    _write(
        target / "weather-carbon.csv",
        (
            "time",
            "temperature_c",
            "relative_humidity_percent",
            "diffuse_solar_w_per_m2",
            "direct_solar_w_per_m2",
            "carbon_intensity_kg_per_kwh",
        ),
        _surroundings(weather, carbon),
    )


def _energy(homes: list[list[Row]]) -> Iterator[tuple[str, ...]]:
    for hour in range(HOURS):
        for number, rows in enumerate(homes, start=1):
            yield (
                f"household-{number:02}",
                _time(hour, rows[hour]),
                f"{float(rows[hour]['Equipment Electric Power [kWh]']):.4f}",
                f"{float(rows[hour]['Solar Generation [W/kW]']):.2f}",
            )


def _surroundings(weather: list[Row], carbon: list[Row]) -> Iterator[tuple[str, ...]]:
    for hour, (sky, grid) in enumerate(zip(weather, carbon, strict=True)):
        yield (
            _stamp(hour),
            f"{float(sky['Outdoor Drybulb Temperature [C]']):.1f}",
            f"{float(sky['Relative Humidity [%]']):.0f}",
            f"{float(sky['Diffuse Solar Radiation [W/m2]']):.0f}",
            f"{float(sky['Direct Solar Radiation [W/m2]']):.0f}",
            f"{float(grid['kg_CO2/kWh']):.4f}",
        )


def _time(hour: int, row: Row) -> str:
    """The row's time, once its month, hour and weekday are seen to be those of the nominal year."""
    ends = NOMINAL_START + timedelta(hours=hour)
    began = ends - timedelta(hours=1)  # the source's hour 24 still belongs to the day that it ends
    told = tuple(int(float(row[column])) for column in ("Month", "Hour", "Day Type"))
    if told != (began.month, began.hour + 1, began.isoweekday()):
        raise SystemExit(f"row {hour} says month, hour, weekday {told}, which is not {_stamp(hour)}")
    return _stamp(hour)


def _stamp(hour: int) -> str:
    return (NOMINAL_START + timedelta(hours=hour)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _rows(archive: zipfile.ZipFile, name: str) -> list[Row]:
    with archive.open(f"{FOLDER}/{name}") as member:
        return list(islice(csv.DictReader(io.TextIOWrapper(member, "utf-8", newline="")), HOURS))


def _write(path: Path, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


if __name__ == "__main__":
    extract(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).resolve().parent)
