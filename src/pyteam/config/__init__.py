"""teamd.conf <-> typed values. All that the rest of pyteam may use is named here."""

from pyteam.config.document import Document
from pyteam.config.report import ConfigError
from pyteam.config.schema import ManualEntry, json_schema, manual
from pyteam.config.values import (
    ActiveBackupRunner,
    ArpPingWatch,
    BasicRunner,
    Burst,
    EbpfFunction,
    EthtoolWatch,
    HashFunction,
    LacpRunner,
    LinkWatchConfig,
    LoadBalanceRunner,
    NsnaPingWatch,
    PortConfig,
    RunnerConfig,
    RxBalancer,
    TeamConfig,
    TipcWatch,
    TxBalancer,
)

__all__ = [
    "ActiveBackupRunner",
    "ArpPingWatch",
    "BasicRunner",
    "Burst",
    "ConfigError",
    "Document",
    "EbpfFunction",
    "EthtoolWatch",
    "HashFunction",
    "LacpRunner",
    "LinkWatchConfig",
    "LoadBalanceRunner",
    "ManualEntry",
    "NsnaPingWatch",
    "PortConfig",
    "RunnerConfig",
    "RxBalancer",
    "TeamConfig",
    "TipcWatch",
    "TxBalancer",
    "json_schema",
    "manual",
]
