"""The nouns: a tool, what it holds, a candidate that was turned down, all that was found, and what is in force."""

from __future__ import annotations

from enum import Enum, auto

from ..config import Settings
from ..here import Here
from ..records import Record
from .places import SETTING, Origin

__all__ = ["SETTING", "Origin"]  # which belong to these


class Kind(Enum):
    """Why a candidate is not used; each with the words for the person, which nobody reads but the person."""

    ITSELF = "it is this environment itself"
    SHIM_OF_ITSELF = "it is this environment itself, behind a shim"
    ACTIVATED = "it is an activated environment, not a global tool"
    CACHED = "it lies in a cache"
    NO_KEYRING = "it has no keyring"
    KEYRING_MISSING = "its keyring is missing"
    IN_WORKING_DIRECTORY = "it lies in the working directory"
    IN_PROJECT = "it lies in the project"
    IN_PROJECT_OF_ENVIRONMENT = "it lies in the project of this environment"
    RELATIVE = "what {detail} says is not an absolute path"
    OWNED = "{decides} belongs to another user"
    OPEN = "everybody can write to {decides}"
    SHARED = "another user can write to {decides}, by its access control list"
    OUTSIDE = "{decides} is outside of your profile and of the system's program folders"
    CUT = "{decides} is too large to be read to its end"
    TOO_MANY = "there are too many before it"
    REMOTE = "it lies in a network folder"
    UNSEEN = "it cannot be looked at ({detail})"
    UNSEEN_PART = "{decides} cannot be looked at ({detail})"
    UNREADABLE = "{decides} cannot be read ({detail})"
    UNREADABLE_ITSELF = "it cannot be read ({detail})"
    NO_ENVIRONMENT = "it is not an environment: it has no file pyvenv.cfg"
    NOTHING_TO_RUN = "it is neither an environment nor a file"
    NOT_EXECUTABLE = "it cannot be executed"
    DEAD_LINK = "it is a link to nothing"
    NO_FILE = "it is not a file"
    # docs.python.org/3/library/subprocess.html, security considerations
    BATCH_FILE = "it is a batch file: Windows would run parts of what is asked for as commands"
    INTERPRETER_MISSING = "its interpreter {decides} is missing"
    INTERPRETER_STUB = "its interpreter {decides} needs Xcode's command line tools: macOS would open a dialog"
    INTERPRETER_FOREIGN = "its interpreter {decides} is for another kind of processor, and Rosetta is not installed"
    INTERPRETER_REMOTE = "its interpreter {decides} lies in a network folder"
    INTERPRETER_RELATIVE = "its interpreter {decides} is not an absolute path"
    PROFILE_UNKNOWN = "PATH does not tell which profile of Windows is yours: name the tool there in the setting 'tool'"
    NOT_OF_A_LENDER = "it is not {detail}, of this user's alone"

    @property
    def harmless(self) -> bool:
        """Whether nothing is lost with such a candidate."""
        itself = Kind.ITSELF, Kind.SHIM_OF_ITSELF, Kind.ACTIVATED
        return self in (*itself, Kind.CACHED, Kind.NO_KEYRING, Kind.PROFILE_UNKNOWN)

    @property
    def foreign(self) -> bool:
        """Whether it may not be the user's: a project may have brought it, or it is another machine's."""
        project = Kind.IN_WORKING_DIRECTORY, Kind.IN_PROJECT, Kind.IN_PROJECT_OF_ENVIRONMENT
        return self in (*project, Kind.RELATIVE, Kind.REMOTE)

    @property
    def of_others(self) -> bool:
        """Whether others than the user may decide what it runs."""
        return self in (Kind.OWNED, Kind.OPEN, Kind.SHARED, Kind.OUTSIDE)


class Reason(Record):
    """Why something is not used, or not trusted."""

    kind: Kind  #: What it is.
    decides: str = ""  #: The path that decides, or "" where it is the candidate itself.
    detail: str = ""  #: What the system says, or the variable that says it.

    def __str__(self) -> str:
        return str(self.kind.value).format(decides=self.decides, detail=self.detail)


class Provider(Record):
    """A distribution's entry point for keyring; the value is as in ``package.module:Class``."""

    distribution: str
    version: str
    value: str

    @property
    def module(self) -> str:
        """The module that the entry point names."""
        return self.value.partition(":")[0].partition("[")[0].strip()


class Content(Record):
    """What site-packages hold."""

    keyring: str = ""  #: The version of keyring, or "".
    providers: tuple[Provider, ...] = ()  #: The entry points of others than keyring and this project.
    optional: frozenset[str] = frozenset()  #: The modules of `environment.OPTIONAL`'s values that are there.
    complete: bool = True  #: Whether that is all; files do not tell everything.
    shares: bool = False  #: Whether the base interpreter's packages and the user's are seen too.
    unreadable: Reason | None = None  #: Why nothing can be said, or None.
    folders: tuple[str, ...] = ()  #: The site-packages folders, and those that their .pth files add.
    #: What in these folders decides what is run: their .pth files, and the packages of keyring and the providers,
    #: folders and files, with all that is in them. Some may be links.
    files: tuple[str, ...] = ()
    cut: str | None = None  #: What of that was not read or listed to its end, or None.


class Tool(Record):
    """A globally installed keyring."""

    origin: Origin  #: Whose place it was found at.
    path: str  #: Where: an environment's root, or an executable.
    root: str  #: The root of its own environment, or "".
    interpreter: str  #: Its interpreter, or "": then `path` is run.
    content: Content = Content(complete=False, shares=True)  #: What it holds.
    adds: tuple[Provider, ...] = ()  #: The providers that this environment lacks.
    own: tuple[str, ...] = ()  #: The modules of keyring's own backends that may work over there only.
    #: Why anybody may have changed it, although it is used since the user has named it, or None.
    doubt: Reason | None = None
    lent: tuple[str, ...] = ()  #: The hosts, by name or pattern, that a lender answers for, whose socket is `path`.
    windows: bool = False  #: Whether it is one of the Windows that WSL runs on.
    decides: tuple[str, ...] = ()  #: The paths that decide what is run, which were trusted.

    @property
    def source(self) -> str:
        """How it was found, as users call it."""
        return self.origin.label

    @property
    def location(self) -> str:
        """Where users see it: the root of its environment, or else its path."""
        return self.root or self.path

    @property
    def name(self) -> str:
        """What it is called in messages."""
        whose = "Windows'" if self.windows else "the global"
        return f"the keyring {self.source}" if self.lent else f"{whose} keyring {self.location}"

    @property
    def known(self) -> bool:
        """Whether `adds` and `own` are all that it can add."""
        return self.content.complete

    @property
    def useful(self) -> bool:
        """Whether it can add something; the stores of this system, which many a plain Python has, are nothing new."""
        return bool(self.adds or (self.own and self.isolated)) or not self.known

    @property
    def isolated(self) -> bool:
        """Whether its interpreter needs nothing from outside of its environment."""
        return not self.content.shares


class Refusal(Record):
    """A candidate that was turned down: whose place it was found at, where, and why it is not used."""

    origin: Origin
    path: str
    why: Reason

    @property
    def source(self) -> str:
        """How it was found, as users call it."""
        return self.origin.label

    @property
    def kind(self) -> Kind:
        """Why it is not used, for code."""
        return self.why.kind

    @property
    def decides(self) -> str:
        """The path that decides."""
        return self.why.decides or self.path

    @property
    def reason(self) -> str:
        """Why it is not used, in words for the person."""
        return str(self.why)


class Findings(Record):
    """What `find` has found."""

    tools: tuple[Tool, ...] = ()  #: In the order in which they are asked.
    refusals: tuple[Refusal, ...] = ()  #: The candidates that were turned down.
    at_home: bool = False  #: Whether this environment is itself a globally installed tool.
    local: Content = Content()  #: What this environment holds.


class State(Enum):
    """What keyring-fallback does in this process."""

    NOTHING = auto()  #: There is no tool, or none has a provider that this environment lacks.
    OFF = auto()  #: The user has switched it off.
    NESTED = auto()  #: It has started this process itself, to answer from this environment.
    AT_HOME = auto()  #: This environment is itself a tool, and there are neither commands nor lenders.
    DELEGATING = auto()


class Survey(Record):
    """What is in force."""

    settings: Settings  #: The user's settings.
    here: Here  #: This environment.
    findings: Findings  #: The tools; none where we are switched off or nested.
    state: State  #: What follows from them.

    @property
    def answers_itself(self) -> bool:
        """Whether this environment answers for itself, whatever tools there are."""
        return self.state in (State.OFF, State.NESTED, State.AT_HOME)

    @property
    def held_by_both(self) -> set[str]:
        """The modules of the providers that this environment has, and a tool."""
        theirs = {one.module for tool in self.findings.tools for one in tool.content.providers}
        return theirs.intersection(one.module for one in self.findings.local.providers)

    def problems(self) -> list[str]:
        """Return what is wrong with the settings, and with the tools that they name, a line each."""
        found = [*map(str, self.settings.problems)]
        if not (self.answers_itself or self.findings.at_home):
            named = f"{self.settings.sources.get('tool', '')}: the tool"
            unused = (one for one in self.findings.refusals if one.origin == SETTING)
            found += (f"{named} {one.path} is not used: {one.reason}" for one in unused)
            doubtful = (f"{named} {one.path} is used, although {one.doubt}" for one in self.findings.tools if one.doubt)
            found += (f"{one}; close that to others if you can" for one in doubtful)
        return found
