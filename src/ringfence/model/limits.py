"""Every bound of the system: name with its unit, value, and the reason for the value.

A queue, table, message or wait that is not bounded by a name from this file is a bug; a house test holds that.
"""

from typing import Final

# --- the kernel's questions -------------------------------------------------------------------------------------

QUESTION_DEADLINE_MS: Final = 2_000
"""Longest wait of one kernel question.  Longer than any honest scan of the synchronous windows; shorter than the
patience of a service that opens its files at start."""

QUESTION_GRACE_MS: Final = 1_000
"""What the watchdog adds to the deadline: no open ever waits longer than deadline plus grace, whatever is killed."""

QUESTIONS_PENDING_MAX: Final = 1_024
"""Questions that may wait unread in the kernel; past it the gate allows, records and scans later."""

SCANNER_WAIT_MS: Final = 400
"""How long a question waits for a scanner that is being replaced: a fork and a warm-up take a tenth of it."""

SCANNERS_SPARE: Final = 1
"""Unpinned scanners beside one per processor: keep the others' questions moving while one scan is slow."""

HELD_QUESTIONS_MAX: Final = 256
"""Questions that are read while every scanner is busy, and wait for one: each keeps a descriptor open.  One more goes
on without a verdict, as past `QUESTIONS_PENDING_MAX`."""

SPARE_LOOK_MS: Final = 20
"""How often the spare thread looks whether every other one is held up; how long that must have lasted."""

EVENT_CLOSE_WRITE_BATCH_MAX: Final = 64
"""Close-after-write events per read: enough to amortise the call, small enough to keep descriptors few."""

GIVE_WAY_NS_MAX: Final = 150_000
"""What giving way to the scanner may take an answering thread: some microseconds where nobody else wants to run."""

GIVE_WAY_PAUSE_MS: Final = 100
"""How long a thread that was held up gives way no more: it loses a slice of time, 3 ms, that often and no more."""

AHEAD_QUEUE_MAX: Final = 16_384
"""Files that wait for the idle scanner, each with an open descriptor; past it they are dropped, counted, and met at
their first read instead."""

AHEAD_IN_FLIGHT_MAX: Final = 128
"""Files given to the idle scanner at once: it does not run dry while verdicts gather, its socket's buffer holds them,
and a death stays attributable, because it takes them in order."""

AHEAD_PAUSE_MS: Final = 1
"""How long verdicts of the idle scanner gather before they are taken."""

AHEAD_DEADLINE_MS: Final = 120_000
"""Longest idle scan of one file: a whole large file at idle priority on a busy machine."""

AHEAD_POLL_MS: Final = 40
"""Pause between two looks at the close-after-write group while no file is hot: nobody's close() wakes a reader."""

AHEAD_POLL_BUSY_MS: Final = 20
"""The same pause while files are being closed: a long queue of events makes every close() slower (8 µs: thousands)."""

VERDICT_CACHE_ENTRIES_MAX: Final = 65_536
"""Entries of the gate's verdict cache (both generations): about 20 MB at the worst, weeks of a server's files."""

KNOWN_HASH_SLOTS: Final = 131_072
"""Slots of 32 bytes in the table of clean SHA-256: 4 MiB of shared memory, touched only as it fills."""

HOT_FILES_MAX: Final = 256
"""Files under the hot-file rule, each with an open descriptor: a host has few busy databases and logs."""

HOT_RESCAN_MS: Final = 2_000
"""A hot file is scanned again at idle priority this often: the bound of the hot-file hole."""

HOT_VERSIONS_MIN: Final = 8
"""Versions of a file that are scanned in a row, each within `HOT_RESCAN_MS` of the last, before the file counts as hot
without an open writer: a build rewrites a file a few times, a database hundreds of times."""

CHURN_FILES_MAX: Final = 2_048
"""Files whose versions are counted for the hot-file rule."""

HOT_OVERDUE_MS: Final = 10_000
"""When the idle scan of a hot file is this late (a starved machine), its mark goes and the next read asks."""

STRIKES_MAX: Final = 3
"""Faults of one (release, file) pair after which the file is no longer scanned while somebody waits."""

STRIKE_ENTRIES_MAX: Final = 4_096
"""Pairs under observation: faults are rare, an attacker's are bounded by his files."""

OVERDUE_MEMORY_MS: Final = 2_000
"""How long the wait of a process for a file counts against its next questions about that version: longer than the
questions of one start or one read are apart, short enough that the file is soon scanned again while somebody waits."""

OVERDUE_MS_MIN: Final = 20
"""Wait that is worth remembering: a hundredth of `QUESTION_DEADLINE_MS`."""

OVERDUE_ENTRIES_MAX: Final = 1_024
"""Such waits in memory: each answering thread adds at most one in `QUESTION_DEADLINE_MS`, but for a full queue's."""

OWN_FILES_MAX: Final = 60_000
"""Files of the interpreter and of Ringfence that are vital by identity."""

VOUCHED_FILES_MAX: Final = 2_000_000
"""Package-owned files whose digests are loaded: a full Debian mirror of a desktop has a third of it."""

VOUCHED_BYTES_MAX: Final = 268_435_456
"""A condemned file up to this size is compared with the package manager's digests: half a second while somebody waits.
Without a bound, a sparse file would make its own refusal late."""

BREAKER_WINDOW_MS: Final = 60_000
"""The breaker looks at this much of the past: a bad release shows within seconds, a slow one within a minute."""

BREAKER_OLD_FILES_MAX: Final = 8
"""Distinct files, older than the release, that it may condemn in the window before its share is looked at."""

BREAKER_OLD_SHARE_PERCENT: Final = 25
"""Share of the old files judged in the window above which a release is convicted: an infected web root stays far
below it, a rule that matches everything reaches it at once."""

BREAKER_VITAL_FILES_MAX: Final = 3
"""Distinct vital or vouched files that a release may condemn before it is convicted: one may be a packaged test
file."""

BREAKER_RULE_FILES_MAX: Final = 1_000
"""Distinct files that one rule may refuse in the window before that rule alone goes to observe: far above any real
infection that is met in a minute, and still the end of a rule that breaks every build."""

BREAKER_FILES_TRACKED_MAX: Final = 8_192
"""Files of each kind counted in one window; past it the oldest makes room."""

SIGHTINGS_UNACKNOWLEDGED_MAX: Final = 4_096
"""Sightings that a gate keeps until the courier has them on disk; past it the oldest is dropped and counted."""

LINEAGE_WAIT_MS: Final = 200
"""How long a refusal waits for the asker's lineage to be read; an alert without it is better than a late answer."""

LINEAGES_WAITING_MAX: Final = 32
"""Lineages that wait to be read: past it alerts go without, because something holds up the reading."""

SIGHTING_REPEAT_MS: Final = 60_000
"""The same version of a file asked for by the same process is reported once in this time; every refusal is counted."""

SIGHTING_REPEATS_TRACKED_MAX: Final = 1_024
"""Pairs of file and process whose repeats are held back."""

SIGHTING_RESEND_MS: Final = 2_000
"""A sighting that the courier did not acknowledge in this time is sent again."""

# --- processes --------------------------------------------------------------------------------------------------

FRAME_BODY_BYTES_MAX: Final = 61_440
"""Body of one frame between processes; with its header it stays below the 64 KiB that every socket buffer holds."""

FRAME_DESCRIPTORS_MAX: Final = 4
"""Descriptors that one frame may carry."""

FRAMES_PER_TURN_MAX: Final = 256
"""Frames taken from one peer before all else has its turn: who never stops talking keeps nobody from his beat."""

HEARTBEAT_INTERVAL_MS: Final = 100
"""How often gate and watchdog write their beat."""

HEARTBEAT_STALE_MS: Final = 750
"""Age of a beat at which its process is killed: seven missed beats, and still a quarter of `QUESTION_GRACE_MS` left."""

STALE_LOOKS_MIN: Final = 2
"""Looks in a row that must find a beat stale: on a machine that was paused as a whole, the first look after it proves
nothing, because the watched process has not run either."""

STANDBY_STALE_MS: Final = 1_800
"""Age of the gate's beat at which the standby acts itself, because watchdog and warden did not."""

ZYGOTE_BEAT_MS: Final = 500
"""How often an idle zygote writes its beat: it has nothing else to do."""

ZYGOTE_STALE_MS: Final = 5_000
"""Age of a zygote's beat at which the warden replaces it: ten missed beats.  Its scanners live until then and
nobody waits for it; but each that dies meanwhile is missing."""

RESTART_BACKOFF_MS: Final = 200
"""First pause before a process that died is started again; it doubles up to `RESTART_BACKOFF_MS_MAX`."""

RESTART_BACKOFF_MS_MAX: Final = 10_000
"""Longest pause before a restart: the time within which a host must be protected again."""

RESTART_CALM_MS: Final = 60_000
"""A process that lived this long starts with the first pause again."""

GATE_DEATHS_MAX: Final = 3
"""Deaths of armed gates within `GATE_DEATHS_WINDOW_MS` after which the host goes to observe: the sensor itself may be
what hurts it."""

GATE_DEATHS_WINDOW_MS: Final = 60_000
"""Armed gates that die within this time are counted together: a crash loop is faster, chance is slower."""

PROCESS_READY_MS: Final = 30_000
"""Longest start of a process, compiling content included, before it is killed and counted as failed."""

PROCESS_RETIRE_MS: Final = 3_500
"""How long a retiring gate or the zygote of an old release may take: every question in hand has its answer by then."""

WARDEN_TICK_MS: Final = 200
"""How often the warden looks at beats, pauses and memory without being asked."""

OPERATOR_WAIT_MS: Final = 45_000
"""How long a command waits for the warden: a release that compiles at the bound, and some more."""

OPERATOR_QUICK_WAIT_MS: Final = 5_000
"""How long a command waits for an answer that needs no work: the warden answers after `QUESTION_DEADLINE_MS` even when
its gate does not count."""

OPERATOR_REQUEST_MS: Final = 1_000
"""Longest wait of the warden for the request of an operator who has connected: it has others to look after."""

OPERATORS_MAX: Final = 8
"""Commands connected to the warden at once."""

PROCESS_DESCRIPTORS_MAX: Final = 1_024
"""RLIMIT_NOFILE of a process without a bound of its own: the kernel's own default."""

SCANNER_DESCRIPTORS_MAX: Final = 64
"""RLIMIT_NOFILE of a scanner: it holds one file of the gate's at a time, and its sockets."""

STATUS_INTERVAL_MS: Final = 10_000
"""How often the host reports its status."""

GATE_DESCRIPTORS_MAX: Final = 32_768
"""RLIMIT_NOFILE of the gate: the idle queue, hot files and the questions in hand."""

SCANNER_ADDRESS_SPACE_BYTES_MAX: Final = 17_179_869_184
"""RLIMIT_AS of a scanner: the rule engine reserves 12 GiB of address space that it never touches."""

SCANNER_RESIDENT_BYTES_MAX: Final = 536_870_912
"""Resident memory beyond its zygote's, which it shares, at which the warden replaces a scanner."""

ZYGOTE_RESIDENT_BYTES_MAX: Final = 1_073_741_824
"""Resident memory at which the warden ends a zygote, above all while it compiles: the release is refused then.  All
16,384 rules of a release take a sixth of it; a few hundred rules with hostile patterns would take everything."""

# --- examining faults -------------------------------------------------------------------------------------------

EXAMINATION_TESTS_MAX: Final = 400
"""Trials of one examination: 16,384 rules need about fifty when one is guilty; what needs ten times that is no matter
of single rules."""

EXAMINATION_REPEATS_MAX: Final = 2
"""How often a trial that came to nothing is tried again: a second look tells chance from a starved machine."""

EXAMINATION_GUILTY_RULES_MAX: Final = 4
"""Rules that one examination may find guilty: more is a bad release, not a bad rule."""

EXAMINATION_CPU_S: Final = 2
"""Processor time of one trial's scan, whole seconds as the kernel counts them: the deadline of a question.  Time on the
clock would convict rules on a busy machine."""

EXAMINATION_DEEP_CPU_S: Final = 30
"""The same where nobody waited: containers are opened then, and honest ones take ten seconds."""

EXAMINATION_COMPILE_CPU_S: Final = 60
"""Processor time in which a trial compiles its rules: 16,384 of them take ten seconds."""

EXAMINATION_ENGINE_TIMEOUT_S: Final = 20
"""The engine's own timeout in a trial, on the clock: a trial that had `EXAMINATION_CPU_S` of processor time by then has
hung, one that had less proves nothing."""

EXAMINATION_WALL_MS: Final = 60_000
"""Longest wait for one trial on the clock.  Past it nothing is said: at low priority a busy machine has no time."""

EXAMINATION_MEMORY_BYTES_MAX: Final = 536_870_912
"""Memory that one trial may take beyond what it was born with, as a scanner may."""

EXAMINATION_MS_MAX: Final = 1_800_000
"""Longest examination as a whole: half an hour of what a busy machine leaves over."""

SUSPECTS_MAX: Final = 8
"""Files that wait to be examined at a gate, each with an open descriptor: one bad rule meets many, one is enough."""

SUSPECTS_KNOWN_ENTRIES_MAX: Final = 256
"""Files that were examined under a release and are not examined again."""

EXECUTING_MARKS_MAX: Final = 256
"""Last words of scanners that are gone, kept by job until the gate asks for an examination."""

RULE_BUDGET_MS: Final = 500
"""Processor time that one rule may take on one file of up to `SYNC_SCAN_BYTES_MAX`: the worst public Linux rule takes
27 ms; past this a few such rules eat the deadline of a question."""

APPRAISAL_INTERVAL_MS: Final = 60_000
"""How often rules are timed on a file: a second of an idle processor each time."""

APPRAISAL_RULES_MAX: Final = 256
"""Rules that are timed on one file; those with the fewest samples come first."""

APPRAISAL_CPU_S: Final = 20
"""Processor time of one appraisal's scans: a rule that takes it all is examined as a fault."""

RULE_COST_ROWS_MAX: Final = 200
"""Rules of the ledger in one answer: more than a person reads, and it fits a frame with the longest names."""

DISABLED_RELEASES_MAX: Final = 16
"""Releases whose rules that are left out are remembered: the way back is shorter."""

DISABLED_RULES_MAX: Final = 32
"""Rules of one release that this host leaves out; past it the release itself is convicted."""

# --- scanning ---------------------------------------------------------------------------------------------------

SYNC_SCAN_BYTES_MAX: Final = 16_777_216
"""Bytes of one file that are scanned while somebody waits: about 0.2 s; the rest follows at idle priority."""

ENGINE_TIMEOUT_S: Final = 5
"""The engine's own timeout, whole seconds: a comfort; the gate's deadline and SIGKILL are the guarantee."""

# --- console ----------------------------------------------------------------------------------------------------

CONSOLE_TEXT_CHARACTERS_MAX: Final = 8_192
"""Characters of one host-supplied string on a page: twice the longest path; what is cut is said."""

CONSOLE_COMBINING_MARKS_MAX: Final = 2
"""Combining marks in a row before the rest are shown as escapes: enough for any living script, too few to climb out
of a table row."""

CONSOLE_FORM_BYTES_MAX: Final = 65_536
"""Body of one console form: a selection of a whole page of alerts and a long note, with room."""

CONSOLE_FORM_FIELDS_MAX: Final = 512
"""Fields of one console form: a page of selected alerts and the few others."""

CONSOLE_CHART_BUCKETS: Final = 48
"""Bars of the overview's chart of one day: one for each half hour, which a person can still tell apart."""

CONSOLE_ATTENTION_ROWS_MAX: Final = 12
"""Lines of each kind under "needs attention": past it there is a fleet-wide cause, and a longer list does not help."""

# --- the control plane --------------------------------------------------------------------------------------------

HOST_SILENT_AFTER_MS: Final = 180_000
"""A host that has not reported for so long is shown as silent: three intervals of its status, so that one lost report
is not an alarm."""

PAGE_ROWS_MAX: Final = 200
"""Rows of one page of the API or console: more than a person reads, little enough to answer in milliseconds."""

PAGE_ROWS_DEFAULT: Final = 50
"""Rows of a page when nobody says otherwise: a screen or two."""

COUNT_SHOWN_MAX: Final = 10_000
"""How far a list's total is counted; past it the console says "more than"."""

SEARCH_WORDS_MAX: Final = 8
"""Words in one search: each is one more pass over the text of every row."""

SEARCH_TEXT_MAX: Final = 200
"""Characters in one search, filter or label: longer than any honest name or path fragment."""

SERIES_BUCKETS_MAX: Final = 400
"""Points of one chart: more than there are pixels to tell them apart on a small screen."""

DETAIL_ROWS_MAX: Final = 50
"""Events, skipped files, gaps and losses that one host's page shows of each."""

NOTE_CHARACTERS_MAX: Final = 4_000
"""Length of one note under an alert: two pages of text."""

ALERT_NOTES_MAX: Final = 200
"""Notes under one alert; past it a person is told to resolve it."""

STREAM_CLIENTS_MAX: Final = 64
"""Live streams at once: each holds a connection and a queue."""

STREAM_RETRY_AFTER_S: Final = 30
"""What a page is told to wait when all live streams are taken: somebody must close a window first."""

STREAM_QUEUE_EVENTS_MAX: Final = 256
"""Events that may wait for one slow reader of the live stream; past it the reader is cut off and resumes by number."""

STREAM_RESUME_EVENTS_MAX: Final = 500
"""Missed events that a stream sends again; a reader that missed more is told to reload."""

STREAM_HEARTBEAT_S: Final = 15
"""A silent stream sends a comment this often, so that proxies keep it and the server notices who has gone."""

SESSION_IDLE_MS: Final = 30 * 60_000
"""A session that nobody uses ends after half an hour."""

SESSION_ABSOLUTE_MS: Final = 12 * 3_600_000
"""Every session ends after a working day, however busy."""

SESSION_TOUCH_MS: Final = 30_000
"""Use of a session is written down at most this often: one write for many page parts."""

SESSIONS_PER_USER_MAX: Final = 20
"""Sessions of one user at once; past it the oldest ends."""

PASSWORD_CHARACTERS_MAX: Final = 256
"""Longest password that is looked at: hashing is paid by the byte."""

PASSWORD_CHARACTERS_MIN: Final = 12
"""Shortest password that a user may choose."""

LOGIN_WINDOW_MS: Final = 15 * 60_000
"""Refused log-ins are remembered for a quarter of an hour."""

LOGIN_REFUSALS_PER_USER_MAX: Final = 10
"""Refused log-ins of one user name within the window; past it nobody may try that name."""

LOGIN_REFUSALS_PER_ADDRESS_MAX: Final = 30
"""Refused log-ins from one address within the window: more than a person mistypes, far fewer than a guesser needs."""

LOGIN_HASHES_AT_ONCE_MAX: Final = 2
"""Passwords that are hashed at the same time: each takes 19 MiB and a processor."""

LOGIN_RETRY_AFTER_S: Final = 5
"""What a person is told to wait when too many log-ins are being hashed: each takes some tenths of a second."""

LOGIN_WAITING_MAX: Final = 16
"""Log-ins that wait for their turn to be hashed; past it the caller is told to come back."""

ENROLMENT_TOKEN_LIFE_MS: Final = 24 * 3_600_000
"""An enrolment token works for a day unless its maker says otherwise."""

ENROLMENT_TOKEN_LIFE_MAX_MS: Final = 30 * 24 * 3_600_000
"""Longest life of an enrolment token: an image build that runs within the month."""

ENROLMENT_TOKEN_USES_MAX: Final = 100_000
"""Most hosts that one token may enrol: a large fleet's roll-out."""

ENROLMENTS_REFUSED_PER_ADDRESS_MAX: Final = 30
"""Refused enrolments from one address within `LOGIN_WINDOW_MS`; the token has 256 bits, this only bounds the noise."""

INGESTS_AT_ONCE_MAX: Final = 8
"""Record batches that are read and decoded at the same time: eight times 4 MiB of body bound the memory."""

REQUEST_BODY_SECONDS_MAX: Final = 30
"""A request whose body has not arrived after so long is refused: it holds one of few places."""

INGEST_RETRY_AFTER_S: Final = 2
"""What a host is told to wait when all places are taken."""

HOST_GAPS_MAX: Final = 1_000
"""Gaps remembered per life of a host's spool, and kept per host; past it neighbouring gaps become one, so that the loss
is overstated, never understated."""

HOST_EPOCHS_MAX: Final = 256
"""Lives of one host's spool that are remembered: each is a re-installation or a lost spool."""

ALERT_SEARCH_CHARACTERS_MAX: Final = 8_192
"""Text of one alert that a search looks through: path, hashes, rules, processes with their command lines."""

LIE_WRITTEN_EVERY_MS: Final = 60_000
"""A host that claims to be another is written into the audit log at most once in this time: the log must not be a
weapon against the disk."""

REFUSAL_KEYS_MAX: Final = 4_096
"""Addresses or hosts whose refusals are counted in memory; past it the oldest is forgotten."""

REQUEST_BODY_BYTES_MAX: Final = 65_536
"""Body of any request of the API or console: a note is the largest."""

SERVER_CONNECTIONS_MAX: Final = 1_024
"""Connections at once; past it the server answers 503."""

SERVER_CONNECTIONS_PENDING_MAX: Final = 256
"""Connections that the kernel keeps until they are accepted: a fleet that returns at once, without a SYN being lost."""

SERVER_KEEP_ALIVE_S: Final = 30
"""An idle connection is closed after so long: longer than the interval between a courier's batches."""

SERVER_STOP_S: Final = 5
"""Requests in hand at the end get so long to finish."""

SERVER_HEADER_BYTES_MAX: Final = 32_768
"""All headers of one request: cookies and a bearer token fit many times."""

CERTIFICATE_LIFE_DAYS: Final = 90
"""Life of the server's certificate: it renews itself."""

CERTIFICATE_RENEW_DAYS: Final = 30
"""The certificate renews when fewer days are left: a server that is off for two months still starts with a good one."""

CA_LIFE_DAYS: Final = 3_650
"""Life of the server's own CA: hosts pin it, so its end is the end of every host's trust."""

CLOCK_BACK_TOLERANCE_MS: Final = 10 * 60_000
"""A clock that is behind the newest thing recorded by less is waited out silently; by more, the server does not
start."""

MAINTENANCE_INTERVAL_S: Final = 300
"""How often a running server removes old rows, looks at its certificate and writes down the time."""

ALERTS_KEPT_MAX: Final = 1_000_000
"""Alerts kept; past it the oldest settled ones go, then the oldest."""

ALERTS_KEPT_PER_HOST_MAX: Final = 100_000
"""Alerts kept of one host: a hostile or broken one pushes out its own alerts, not its neighbours'."""

SKIPPED_KEPT_MAX: Final = 200_000
"""Skipped files kept over all hosts."""

HOST_EVENTS_KEPT_MAX: Final = 200_000
"""Sensor events, and losses, kept over all hosts."""

STATUS_KEPT_PER_HOST_MAX: Final = 1_440
"""Status reports kept per host: a day at one a minute, which is what the charts show."""

AUDIT_KEPT_MAX: Final = 2_000_000
"""Lines of the audit log; past it the oldest go, and that is itself a line."""

RETENTION_ROWS_AT_ONCE_MAX: Final = 5_000
"""Rows removed in one transaction: a host's batch never waits long behind it."""

DATABASE_BUSY_MS: Final = 5_000
"""How long a statement waits for another process that holds the server's database."""

DATABASE_CONNECTION_WAIT_S: Final = 30
"""Longest wait for one of the database's connections: longer than any transaction of ours takes."""

DATABASE_READERS_MAX: Final = 4
"""Connections that read at the same time: each is a thread and a page cache."""

RULE_TABLE_BYTES_MAX: Final = 33_554_432
"""The rule table that the courier gets: about 1 KiB for each of the most rules that a release may hold."""

SPOOL_FILE_BYTES_MAX: Final = 134_217_728
"""RLIMIT_FSIZE of the courier: twice the whole spool, so that the limit is never what ends a legitimate write."""

USER_NAME_CHARACTERS_MAX: Final = 64
"""Length of a user name, and of what is kept of a browser's name."""

# --- releases ---------------------------------------------------------------------------------------------------

RELEASE_BYTES_MAX: Final = 67_108_864
"""A release as it travels.  All public YARA rules together are 2 MiB compressed; the rest is room for indicators."""

RELEASE_UNPACKED_BYTES_MAX: Final = 268_435_456
"""A release unpacked: what a child under memory limits can still hold twice."""

RELEASE_RATIO_MAX: Final = 64
"""Unpacked over travelling bytes.  Rule source measures 4 to 12, many small samples in tar blocks up to 30."""

RELEASE_RATIO_FREE_BYTES: Final = 1_048_576
"""Unpacked size below which the ratio is not looked at: a tiny release is mostly padding."""

RELEASE_WINDOW_BYTES_MAX: Final = 8_388_608
"""Window of the compressed frame: what level 19 uses; bounds the memory of the decoder."""

RELEASE_MEMBERS_MAX: Final = 32_768
"""Members of a release: two samples for each of 16,384 rules."""

MANIFEST_BYTES_MAX: Final = 16_777_216
"""The manifest: 16,384 rules of 1 KiB.  Reading it takes up to twenty times as much memory."""

JSON_KEYS_MAX: Final = 1_024
"""Keys of one object in a canonical document.  The largest of ours has 9; a million would take seconds to sort."""

JSON_CONTAINERS_MAX: Final = 131_072
"""Lists and objects in a canonical document: an empty one of 2 bytes costs 64 when it is read.  A release may have
82,000: its rules, self-tests and packs."""

JSON_DEPTH_MAX: Final = 8
"""Nesting of a canonical document.  The deepest of ours has 3."""

JSON_INTEGER_DIGITS_MAX: Final = 16
"""Digits of an integer in a canonical document: with the next bound, what every reader of JSON keeps exactly."""

JSON_INTEGER_MAX: Final = 9_007_199_254_740_991
"""Largest integer of a canonical document, 2**53 - 1."""

PACKS_MAX: Final = 256
"""Packs of a release: each costs every scan of its class a fixed price of some microseconds."""

PACK_SOURCE_BYTES_MAX: Final = 8_388_608
"""Source of one pack; the largest public file has 5 MiB."""

RULES_MAX: Final = 16_384
"""Rules of a release: all public ones are about 9,000; a scan pays about 70 us for each 1,000."""

SELF_TESTS_MAX: Final = 65_536
"""Self-tests of a release: four for each rule."""

SAMPLE_BYTES_MAX: Final = 1_048_576
"""One self-test's input.  Self-tests run on every host before activation, so they are small."""

DETECTION_PACKS_MAX: Final = 256
"""Files of rules over events of a release: as many as packs."""

DETECTION_PACK_BYTES_MAX: Final = 8_388_608
"""One file of rules over events: all 3,750 public Sigma rules are 3.6 MB."""

DETECTION_CONTAINERS_MAX: Final = 1_048_576
"""Lists and objects of one such file: twenty bytes for each is less than any real rule takes."""

CONTRACT_EVENTS_MAX: Final = 4_096
"""Pairs of event type and field that a release may need: all public Sigma rules use about 600."""

CONTRACT_BYTES_MAX: Final = 1_048_576
"""The contract of a sensor build: 256 event types of 64 fields are a third of it."""

CONTRACT_WORDS_MAX: Final = 1_024
"""Modules, variables, classes or limits of a contract; each list of ours has fewer than 32."""

CONTRACT_TYPES_ENTRIES_MAX: Final = 256
"""Types of event that a sensor may supply: public Sigma rules know about 100."""

CONTRACT_EVENT_FIELDS_MAX: Final = 256
"""Fields of one type of event: the largest of the public ones has about 60."""

CONTRACTS_FILES_MAX: Final = 256
"""Sensor builds of one fleet: a long-lived product has some dozens."""

WAIVERS_BYTES_MAX: Final = 1_048_576
"""All waivers of a release: a few hundred of 2 KiB."""

WAIVERS_FILES_MAX: Final = 256
"""Waivers of a release: whoever needs more has rules to correct."""

WAIVER_KEYS_MAX: Final = 16
"""Keys whose waivers a content directory accepts: the few people who may take a risk for everybody."""

WAIVER_DAYS_MAX: Final = 366
"""Longest life of a waiver: what is right to excuse longer than a year is a check to correct."""

RELEASE_COMPILE_CPU_MS_MAX: Final = 25_000
"""Most CPU that a release may claim for compiling: what a zygote can have before `PROCESS_READY_MS` is over."""

RELEASE_COMPILE_CPU_MS_DEFAULT: Final = 10_000
"""CPU of compiling where the author claims nothing: twice what all 8,870 public rules take."""

RELEASE_COMPILE_BYTES_MAX: Final = 1_073_741_824
"""Most resident memory that a release may claim for compiling: the bound at which a zygote is ended."""

RELEASE_COMPILE_BYTES_DEFAULT: Final = 536_870_912
"""Resident memory of compiling where the author claims nothing: three times what all public rules take."""

RELEASE_SCAN_US_PER_MIB_MAX: Final = 100_000
"""Most CPU for scanning 1 MiB of ordinary files that a release may claim: three times what 9,248 public rules take, of
which most is the cost of each small file."""

RELEASE_SCAN_US_PER_MIB_DEFAULT: Final = 25_000
"""CPU for scanning 1 MiB where the author claims nothing: twenty times what the starter content takes.  A release of
thousands of rules has to claim more."""

RELEASE_VERSION_MAX: Final = 2_147_483_647
"""Version of a release: a release each second would last 68 years."""

NAME_CHARACTERS_MAX: Final = 64
"""Name of a release or a pack."""

RULE_IDENTIFIER_CHARACTERS_MAX: Final = 128
"""Identifier of a rule, the engine's own bound."""

RULE_TEXT_CHARACTERS_MAX: Final = 1_024
"""Author, description, reference or licence of a rule: they travel in every alert."""

# --- detections (Sigma) -------------------------------------------------------------------------------------------

DETECTION_RULES_MAX: Final = 8_192
"""Rules of one pack: twice all public ones; a mask of that many bits is still one machine operation of microseconds."""

DETECTION_PACK_RULES_MAX: Final = 1_024
"""Rules that an author's build puts into one pack: of the largest public type of event there are 1,417."""

DETECTION_TESTS_MAX: Final = 32_768
"""Self-tests of one pack: four for each rule."""

DETECTION_NODES_MAX: Final = 262_144
"""Nodes and values of all conditions of one pack; all public rules together have a third of it."""

DETECTION_RULE_NODES_MAX: Final = 20_000
"""Nodes and values of one rule's condition; the largest public rule has 4,433, one in a hundred more than 95."""

DETECTION_RULE_DEPTH_MAX: Final = 24
"""Nesting of a condition; the deepest public one has 6.  Everything that walks one recurses so deep and no deeper."""

DETECTION_LITERAL_CHARACTERS_MAX: Final = 4_096
"""Text that a rule looks for: as long as a path can be."""

DETECTION_GLOB_WORDS_MAX: Final = 64
"""Texts and wildcards of one glob; public rules have up to 6 stars."""

DETECTION_REGEX_CHARACTERS_MAX: Final = 2_048
"""Length of an expression; the longest public one has 217 characters."""

DETECTION_REGEX_BYTES_MAX: Final = 4_194_304
"""Memory of one expression: its program, and the states that RE2 keeps while it searches."""

DETECTION_NUMBER_DIGITS_MAX: Final = 32
"""Digits before and after the point of a number that is compared; longer texts are no numbers."""

DETECTION_TECHNIQUE_ENTRIES_MAX: Final = 64
"""ATT&CK techniques of one rule; public rules name up to a dozen."""

EVENT_FIELDS_MAX: Final = 128
"""Fields of one event; the largest public schema has half of it."""

EVENT_VALUE_CHARACTERS_MAX: Final = 131_072
"""Value of a field in a self-test: the longest single argument that the kernel gives to a process."""

MATCH_MEMO_ENTRIES_MAX: Final = 2_048
"""Values of one field whose answer of the index is remembered."""

MATCH_MEMO_CHARACTERS_MAX: Final = 256
"""Longest value that is remembered: with the bound above, a megabyte for each field at the worst."""

PROBE_EVENTS_MAX: Final = 48
"""Probe events of one rule: each of its fields long, and its first texts each in their place."""

EVENT_RULE_US_MAX: Final = 50_000
"""What one rule may take on one hostile event of 30,000 characters a field: the worst public rule takes a quarter."""

EVENT_MEAN_US_MAX: Final = 50
"""What all rules of one type of event may take for an ordinary event: 144 public Linux rules take 4, 1,417 for Windows
28; a storm of process starts is ten thousand a second."""

EVENT_TRIAL_USES_MAX: Final = 3
"""How often a cost is measured before it is believed: another tenant can make a rule look slower, never faster."""

RECORDED_EVENTS_MAX: Final = 2_000_000
"""Recorded events that a proof replays: a machine's day of builds is a tenth of it, and all cost some minutes."""

RECORDED_LINE_BYTES_MAX: Final = 1_048_576
"""One recorded event: eight of the longest values that a sensor sends."""

RECORDED_PART_EVENTS_MAX: Final = 16_384
"""Recorded events that one task replays: a few seconds with thousands of rules."""

RECORDED_PART_BYTES_MAX: Final = 16_777_216
"""Bytes of recorded events after which a part ends: what a worker holds in memory is some times that."""

RECORDED_COMPARED_EVENTS_MAX: Final = 128
"""Recorded events of a part on which the reference is asked, too: it takes a hundred times as long."""

ORDINARY_EVENTS_MAX: Final = 2_000
"""Ordinary events that the rules of one type meet together."""

EXAMPLE_TRIES_ENTRIES_MAX: Final = 256
"""Ways in which a condition may be true that are tried for an example: most rules have one that is found at once."""

PROBE_VALUE_CHARACTERS: Final = 30_000
"""A long value in a probe event: more than a sensor sends of a command line."""

# --- the engine and what it reports -----------------------------------------------------------------------------

RULES_PER_SCANNER_MAX: Final = 1_024
"""Rules that share one engine scanner.  A rule that runs into the timeout blinds only these; each further scanner costs
one more pass over the bytes (4 µs for 4 KiB, 1 ms per MiB)."""

RULES_MERGED_MAX: Final = 256
"""Up to so many rules, those for every file and those for one class are compiled together: one pass instead of two, for
a few megabytes of memory."""

SIEVE_RULES_MIN: Final = 64
"""From so many rules on, a set of rules stands behind a sieve.  Running fewer costs as much as the sieve's own pass."""

SIEVE_PATTERNS_MAX: Final = 512
"""Patterns of one rule of a sieve: the engine's compiler is quadratic in them."""

WITNESS_PATTERNS_MAX: Final = 256
"""Patterns of one rule's witness: as many as the largest public rule has; bounds what rules that name rules add up."""

WITNESS_BYTES_MIN: Final = 6
"""Different fixed bytes in a row of a pattern in a witness.  Shorter ones are met in every other file: then the rule
may as well run always."""

WITNESS_BYTES_MAX: Final = 12
"""Different fixed bytes past which a pattern is not taken to be rarer; then fewer patterns are better."""

CONDITION_DEPTH_MAX: Final = 32
"""Brackets in brackets of a condition that is searched for a witness: people write three."""

CONDITION_WORDS_MAX: Final = 4_096
"""Words of a condition that is searched for a witness: ten times the longest public one."""

ENGINE_SCANNERS_MAX: Final = 96
"""Scanners of one content.  Each reserves 80 MiB of address space, and `SCANNER_ADDRESS_SPACE_BYTES_MAX` is 16 GiB."""

FINDING_RULES_MAX: Final = 16
"""Rules that one scan reports, worst first.  More say nothing that these do not."""

FINDING_MATCHES_MAX: Final = 32
"""Pattern matches that one scan reports."""

MATCHES_PER_PATTERN_MAX: Final = 4
"""Matches of one pattern that a scan reports, so that one pattern cannot crowd out all others."""

MATCHES_TRACKED_MAX: Final = 1_000
"""Matches of one pattern that the engine remembers while it collects the details of a hit: bounds memory on hostile
files.  It does not hold for the pass that decides: a condition may count further."""

MATCH_EXCERPT_BYTES_MAX: Final = 64
"""Bytes of a match that an alert shows: enough for a person to recognise it, little enough to leak no file."""

PATTERN_NAME_BYTES_MAX: Final = 128
"""Name of a pattern; the engine's own limit for identifiers."""

MEMBER_PATH_BYTES_MAX: Final = 256
"""Path of a member inside an archive as reports show it; a longer one is cut in the middle."""

# --- detections on their way to the courier -----------------------------------------------------------------------

SIGHTING_PATH_BYTES_MAX: Final = 4_096
"""Longest path in a sighting: the kernel's PATH_MAX."""

SIGHTING_PROCESSES_MAX: Final = 8
"""The asking process and its ancestors: deep enough for shell, service and login, small enough for one frame."""

PROCESS_COMMAND_LINE_BYTES_MAX: Final = 1_024
"""How much of a command line travels with an alert: enough to triage, small enough for eight in one frame."""

PROCESS_NAME_BYTES_MAX: Final = 64
"""Longest name of a process: the kernel keeps 15 bytes, its own threads show more."""

STATUS_MARKS_MAX: Final = 16
"""Protected places named in one status; a seventeenth is counted, not named."""

STATUS_MARK_BYTES_MAX: Final = 1_024
"""Longest path of a mark in a status."""

STATUS_PROCESSES_MAX: Final = 64
"""Processes of one sensor in one status: warden, gates, watchdog, courier and up to 58 scanners."""

STATUS_COUNTERS_MAX: Final = 256
"""Counters in one status."""

STATUS_NAME_BYTES_MAX: Final = 64
"""Longest role, state or counter name in a status."""

EVENT_SUBJECT_BYTES_MAX: Final = 256
"""Longest subject of a host event."""

EVENT_DETAIL_BYTES_MAX: Final = 1_024
"""Longest detail of a host event."""

USERS_MAX: Final = 1_000
"""Users of one server: an operations team, not a directory service."""

API_TOKENS_PER_USER_MAX: Final = 20
"""API tokens of one user that have not expired."""

API_TOKEN_LIFE_MS: Final = 90 * 24 * 3_600_000
"""An API token works for a quarter of a year."""

# --- archives ---------------------------------------------------------------------------------------------------

ARCHIVE_DEPTH_MAX: Final = 6
"""Containers inside containers; `tar.gz` counts two.  A tar.gz in a zip in a tar.gz is five; only bombs go deeper."""

ARCHIVE_MEMBERS_MAX: Final = 65_536
"""Headers read in one file, nested ones too.  A large source tree has so many; a second or two of scanning."""

ARCHIVE_UNPACKED_BYTES_MAX: Final = 1_073_741_824
"""Bytes that decompression may give for one file, all levels together: some ten seconds of scanning."""

ARCHIVE_RATIO_MAX: Final = 250
"""Unpacked bytes per byte of the file.  Honest text reaches 20, logs 100."""

ARCHIVE_RATIO_FREE_BYTES: Final = 16_777_216
"""Unpacked bytes to which the ratio does not apply: small files of zeros are honest."""

ARCHIVE_MEMBER_BYTES_MAX: Final = 33_554_432
"""A member up to this size is scanned and opened in one piece; a larger one is scanned in overlapping pieces and, if it
is a container itself, not opened.  `ARCHIVE_DEPTH_MAX` of them and their decoders fit into a scanner's memory."""

ARCHIVE_DECODER_BYTES_MAX: Final = 75_497_472
"""Memory that a file may make one decoder take: `xz -9` wants 65 MiB."""

ARCHIVE_WINDOW_BYTES_MAX: Final = 33_554_432
"""Window that a zstd frame may ask for; `zstd -19` asks for 8 MiB."""

ARCHIVE_STREAMS_MAX: Final = 65_536
"""Compressed streams one after the other in one file; block-wise gzip has one for each 64 KiB."""

ARCHIVE_CHUNK_BYTES: Final = 262_144
"""Compressed bytes are read and unpacked bytes are made in pieces of at most this size."""

ARCHIVE_NAME_BYTES_MAX: Final = 4_096
"""Longest name of a member, as the kernel's longest path.  A longer one is not read."""

ARCHIVE_ATTRIBUTES_BYTES_MAX: Final = 1_048_576
"""Longest block of extended attributes (pax) in a tar archive."""

READ_PIECE_BYTES: Final = 1_048_576
"""Bytes of one read where a file is read in pieces: amortises the call, bounds the copy."""

# --- the way up to the server -------------------------------------------------------------------------------------

UPLINK_BODY_BYTES_MAX: Final = 4_194_304
"""One batch of records: a second of an ordinary uplink, and what a server may hold for each of many hosts at once."""

UPLINK_RECORDS_MAX: Final = 1_000
"""Records of one batch: one transaction of the server's database."""

UPLINK_RECORD_BYTES_MAX: Final = 1_048_576
"""One record as a line.  An alert whose every field is at its bound and escaped has 700 KiB; ordinary ones have 2."""

UPLINK_HEAD_BYTES_MAX: Final = 512
"""The first line of a batch."""

UPLINK_ANSWER_BYTES_MAX: Final = 65_536
"""An answer of the server: a few numbers, or a short refusal."""

UPLINK_ENROLMENT_BYTES_MAX: Final = 16_384
"""A request to enrol: a token and six short facts."""

UPLINK_TOKEN_CHARACTERS_MAX: Final = 128
"""An enrolment token: as the server makes it, it has a third of this."""

UPLINK_FACT_CHARACTERS_MAX: Final = 256
"""One fact about a host: names of hosts end at 253 characters, the others are shorter."""

METRICS_HOSTS_MAX: Final = 2_000
"""Hosts that `/metrics` lists: each is a dozen lines; a larger fleet is read from the API."""

# --- large files ------------------------------------------------------------------------------------------------

SCAN_OVERLAP_BYTES: Final = 65_536
"""Pieces of one file overlap by this much, so that a match of up to this length lies whole in one of them."""

SCAN_WHOLE_BYTES_MAX: Final = 67_108_864
"""Files up to this size are scanned in one piece when nobody waits: only there every condition means what it says."""

SCAN_PIECE_BYTES: Final = 33_554_432
"""Piece of a larger file: few passes, and memory for two of them."""

SCAN_TOTAL_BYTES_MAX: Final = 34_359_738_368
"""Bytes of one file that are scanned at all, when nobody waits: some minutes.  What lies behind is reported unknown."""

WINDOW_BYTES: Final = 1_048_576
"""Largest sampled window of a file that somebody waits for."""

WINDOWS_MAX: Final = 16
"""Windows of one file, head and tail included."""

PLACES_MAX: Final = 16
"""Places that one host protects: each is two marks and one argument of the gate."""

SERVER_IDLE_S: Final = 60
"""A connection that has begun no request for so long, or sends its head byte by byte, is closed."""

# --- the systemd service ----------------------------------------------------------------------------------------

UNIT_STARTS_MAX: Final = 5
"""Starts within `UNIT_STARTS_WINDOW_S` after which systemd leaves the sensor down and the machine up (promise 7)."""

UNIT_STARTS_WINDOW_S: Final = 600
"""Longer than five starts with their pauses, so that a loop of slow crashes is bounded as well."""

UNIT_RESTART_PAUSE_S: Final = 2
"""Pause before a restart: the protected places are open meanwhile, and a tight loop would starve the machine."""

UNIT_STOP_S: Final = 20
"""Time for the marks to go, questions to be answered and the spool to be synced before systemd kills what is left."""

UNIT_MEMORY_BYTES_MAX: Final = 2_147_483_648
"""All processes with an imported pack of thousands of rules in two generations, and the server: past it the kernel
kills one of them, which is replaced, and not somebody else's."""

UNIT_TASKS_MAX: Final = 512
"""Threads and processes of the service: a gate's thread and a scanner per processor, two generations, the server's."""

# --- building content -------------------------------------------------------------------------------------------

YAML_DEPTH_MAX: Final = 32
"""Nesting of a YAML file that an author writes: Sigma rules need five."""

YAML_NODES_MAX: Final = 65_536
"""Keys and values of a YAML file that an author writes: the largest public Sigma rule has 5,000."""

SIGMA_CONDITION_CHARACTERS_MAX: Final = 16_384
"""Condition of a Sigma rule: the longest public one has 500; pySigma needs 50 us for each bracket."""

SIGMA_EXPANSION_NODES_MAX: Final = 65_536
"""What one Sigma rule may become while pySigma reads it: half a second and 50 MB.  Hosts take less than a third."""

SIGMA_SOURCES_FILES_MAX: Final = 4_096
"""Sigma files that were read and are kept as long as the command runs: all public ones, in 120 MB."""

SIGMA_FILE_BYTES_MAX: Final = 1_048_576
"""One Sigma rule: the largest public one has 200 KB."""

PACK_RULES_MAX: Final = 256
"""Rules that the builder puts into one pack: what a slow rule or a refused pack can take along."""

SOURCE_FILE_BYTES_MAX: Final = 8_388_608
"""One file of rules or self-tests of a content directory; the largest public one has 5 MiB."""

SOURCE_FILES_MAX: Final = 16_384
"""Files of a content directory or of a public pack; the largest public one has about 1,100."""

RULE_PATTERNS_MAX: Final = 1_000
"""Patterns of one rule: more make the engine's compiler quadratic.  The largest public rule has 257."""

LINT_COMPILE_CPU_S: Final = 10
"""Processor time of the compiler on one file of rules: all 8,870 public rules together take five."""

LINT_COMPILE_BYTES_MAX: Final = 1_073_741_824
"""Writable memory of the compiler on one file of rules: all public rules together take 164 MB."""

LINT_COMPILE_WAIT_S: Final = 30
"""Longest wait for the compiler on one file, in which it works at most `LINT_COMPILE_CPU_S`, on a busy machine."""

LINT_WARNINGS_ENTRIES_MAX: Final = 4_096
"""Warnings of the compiler about one file of rules that are told."""

LINT_FINDINGS_MAX: Final = 1_024
"""Findings about one file that are told one by one; a machine-made file may have one in each line."""

RULE_VARIANTS_PATTERNS_MAX: Final = 4_096
"""Patterns that the engine makes of one rule's: each XOR key and each encoding is one.  The largest public rule has
1,037; 10,000 with `xor wide` take half a GiB to compile."""

PATTERN_TEXT_CHARACTERS_MAX: Final = 4_096
"""A text pattern as written.  The longest public one has 952 characters."""

PATTERN_HEX_CHARACTERS_MAX: Final = 16_384
"""A hexadecimal pattern as written, with its comments.  The longest public one has 3,165 characters."""

PATTERN_EXPRESSION_CHARACTERS_MAX: Final = 2_048
"""A regular expression as written.  The longest public one has 896 characters."""

PATTERN_ALTERNATIVES_ENTRIES_MAX: Final = 255
"""Alternatives in one place of a pattern, the engine's own bound.  The widest public one has 80."""

RULE_EVIDENCE_BYTES_MIN: Final = 8
"""Different fixed bytes in the weakest alternative of a rule that blocks.  Of 8,858 public rules, which only alert,
97 % have as many; a word of ordinary text has fewer."""

RULE_ALERT_EVIDENCE_BYTES_MIN: Final = 4
"""The same for a rule that only alerts, below which there is a warning: one in a hundred public rules has fewer."""

RULE_CONDITION_WORDS_MAX: Final = 16_384
"""Words of a YARA condition.  The longest public one has 704; the engine gives up between 20,000 and 100,000."""

RULE_CONDITION_DEPTH_MAX: Final = 48
"""Nesting of a YARA condition.  The deepest public rule has 9."""

RULE_PROBE_MS_MAX: Final = 200
"""CPU that one rule may take on one probe of 4 MiB.  The worst public Linux rule took 27 ms on 16 MiB."""

RULE_PROBE_BYTES: Final = 4_194_304
"""Size of a probe: large enough to tell a slow rule from a normal one, small enough to try thousands."""

RULE_PROBE_ADDRESS_SPACE_BYTES_MAX: Final = 25_769_803_776
"""RLIMIT_AS of the child that compiles and probes: the engine reserves 12 GiB that it never touches."""

RULE_PROBE_SMALL_BYTES: Final = 98_304
"""Size of a small probe: many conditions ask for `filesize < 100KB` and never reach their patterns on a large one."""

RULE_PROBE_BATCH_MAX: Final = 64
"""Rules that are probed together before a slow batch is cut in half."""

RULE_PROBE_TIMEOUT_S: Final = 2
"""The engine's own timeout of one probe: ten times what one rule may take."""

RULE_PROBE_WAIT_S: Final = 60
"""Longest wait for the child that compiles and probes a batch: its eight probes, and compiling on a busy machine."""

# --- proving content --------------------------------------------------------------------------------------------

PROOF_BYTES_MAX: Final = 4_194_304
"""A proof document: 8,192 findings of half a KiB; a host reads it with each release."""

PROOF_FINDINGS_MAX: Final = 8_192
"""Findings of a proof; past it a release is refused for reasons enough, and the count of the rest is told."""

PROOF_FIGURES_ROWS_MAX: Final = 64
"""Measured numbers of one check."""

PROOF_ENGINES_ENTRIES_MAX: Final = 64
"""Sensor builds that one proof speaks for: a fleet has a handful, a long-lived product some dozens."""

PROOF_BARS_ROWS_MAX: Final = 20
"""Bars of one chart on a proof's page: what fits a screen."""

PROOF_CLASSES_ENTRIES_MAX: Final = 1
"""Classes of files whose general probes a worker keeps: each has 80 MiB."""

PROOF_SLOWEST_ROWS_MAX: Final = 64
"""Most expensive rules that a proof names: more than a person reads."""

PROOF_WAIVERS_ENTRIES_MAX: Final = 1_024
"""Waivers that a proof tells about."""

PROOF_TEXT_CHARACTERS_MAX: Final = 512
"""Text of one finding; a file's name; a reason."""

PROOF_GOODWARE_FILES_MIN: Final = 1_000
"""Goodware files below which a release counts as not tried on goodware: any plain system has tens of thousands."""

PROOF_SLOW_MS_MAX: Final = 200
"""CPU that one rule alone may take on one probe of up to 16 MiB, the longest a host scans while somebody waits.  The
worst of 248 public Linux rules took 27 ms; ten of the slowest together still answer within the deadline."""

PROOF_EASY_MS_MAX: Final = 60
"""CPU of several rules together on one input, up to which none of them is tried on it alone: a third of the bound."""

PROOF_HOPELESS_RATIO: Final = 4
"""CPU of an unfinished probe over its bound, from which on nobody else can have been to blame for it."""

PROOF_WHOLE_MS_MAX: Final = 2_000
"""CPU that the whole release may take on one probe: `QUESTION_DEADLINE_MS`, so that nobody's open runs into it."""

PROOF_SAMPLE_BYTES_MAX: Final = 4_096
"""Bytes made for one pattern: longer than nearly every public one."""

PROOF_OWN_TEXT_BYTES_MAX: Final = 65_536
"""Bytes of one round of a rule's own strings, before it is repeated."""

PROOF_OWN_SIZES_ENTRIES_MAX: Final = 5
"""Sizes of the inputs made for one rule: the largest scan while somebody waits, and two `filesize` bounds."""

PROOF_PROBE_TIMEOUT_S: Final = 2
"""The engine's own timeout of one probe: ten times `PROOF_SLOW_MS_MAX`."""

PROOF_FILE_TIMEOUT_S: Final = 60
"""The engine's own timeout on a goodware file or an archive: it counts wall time, and the prover counts CPU."""

PROOF_PROBE_USES_MAX: Final = 3
"""Times a probe over its bound is measured before it is believed: another tenant of the machine costs up to half."""

PROOF_RULE_COMPILE_MS_MAX: Final = 2_000
"""CPU to compile one rule: five hundred times the average; 1,000 patterns take a tenth of it."""

PROOF_ARCHIVE_MS_MAX: Final = 30_000
"""CPU to open and scan one hostile archive: a quarter of `AHEAD_DEADLINE_MS`, after which the host gives up."""

PROOF_THROUGHPUT_FILE_BYTES_MAX: Final = 2_097_152
"""A larger file is not among that goodware: a few of them would decide what an ordinary file is."""

PROOF_THROUGHPUT_SAMPLE_BYTES_MAX: Final = 33_554_432
"""Goodware that the whole release scans again in every proof, to measure its speed."""

PROOF_TASK_MS_MAX: Final = 60_000
"""CPU of one task of a prover's worker; whoever needs more is killed.  The longest good one takes a third of it."""

PROOF_TASK_WAIT_MS: Final = 240_000
"""Longest wait for a task, whatever its CPU: a worker that sleeps for ever is killed too."""

PROOF_STARTS_MAX: Final = 3
"""Workers in a row that do not start before the proof ends: an interpreter without ringfence never will."""

PROOF_JOB_USES_MAX: Final = 2
"""Workers that one job may cost by being killed from outside: the first time is chance, the second has a reason."""

PROOF_RESIDENT_BYTES_MAX: Final = 1_610_612_736
"""Resident memory of a worker: what a host's zygote may take to compile, and what its scanner may take beyond that."""

PROOF_PROGRAMS_BYTES_MAX: Final = 16_777_216
"""Programs of the machine that are probes, all together: a shell, the C library, the interpreter."""

PROOF_WORKERS_MAX: Final = 64
"""Workers of one prover: each compiles the release for itself, some hundred MiB."""

PROOF_START_WAIT_MS: Final = 60_000
"""Longest wait for a worker to start and to enter its sandbox on a busy machine."""

PROOF_LOOK_MS: Final = 50
"""How often the prover looks at its workers' CPU and memory: a worker that grows by 1 GiB/s overshoots by 50 MiB."""

PROOF_RULES_PER_TASK_MAX: Final = 16
"""Rules tried by one task: few are tried again when one of them kills the worker."""

PROOF_RESULT_BYTES_MAX: Final = 4_194_304
"""A worker's answer: 512 files with 16 hits each are 100 KiB."""

PROOF_BATCH_FILES_MAX: Final = 512
"""Goodware files of one task: their hits fit into one answer, and what is done again after a kill is little."""

PROOF_BATCH_BYTES_MAX: Final = 16_777_216
"""Goodware bytes of one task that are copied into memory; a larger file is a task of its own."""

PROOF_GOODWARE_FILE_BYTES_MAX: Final = 1_073_741_824
"""A goodware file above this is left out and told of: a disk image is not what rules are tried on."""

PROOF_BOMB_BYTES_MAX: Final = 67_108_864
"""What a hostile archive of the prover wants to become: four times what its size allows on a host."""

PROOF_BOMB_MEMBERS_MAX: Final = 10_000
"""Members of a hostile archive: a host opens them all, and more than ten times that end the walk."""

PROOF_ALERTS_HIGH_FILES_MAX: Final = 2
"""Goodware files that an alerting rule of high severity may hit: a packaged attack tool, and its library.  A critical
one may hit none."""

PROOF_ALERTS_MEDIUM_FILES_MAX: Final = 10
"""As above, of medium severity: a person looks at each alert."""

PROOF_ALERTS_LOW_FILES_MAX: Final = 100
"""As above, of low severity: one file in a thousand of a plain system."""

PROOF_ALERTS_INFORMATIONAL_FILES_MAX: Final = 1_000
"""As above, of informational severity: one in a hundred."""

PROOF_EXAMPLES_FILES_MAX: Final = 3
"""Goodware files that a finding names."""

PROOF_ROWS_PER_BATCH_MAX: Final = 8
"""Remembered results of one goodware batch before they are joined: an author changes a few rules at a time."""

PROOF_PART_RULES_MAX: Final = 512
"""Rules that look at the goodware as soon as each of them has been tried alone; more wait for the whole release."""

PROOF_CACHE_BYTES_MAX: Final = 268_435_456
"""Results that a prover remembers; past it the cache begins anew.  9,000 rules on 100,000 files leave 5 MB."""

PROOF_CACHE_LINE_BYTES_MAX: Final = 4_194_304
"""One remembered result: which 16,384 rules were together is half a MiB."""

FILTER_CHOICES_MAX: Final = 200
"""Entries of one drop-down of the alert filters; past it a person types."""

OVERVIEW_ROWS_MAX: Final = 10
"""Lines of each list on the first page: it must fit a screen."""

DISK_FULL_RETRY_AFTER_S: Final = 30
"""What callers are told to wait when the server's disk is full: room does not come within a second."""

STATE_MARKER_BYTES_MAX: Final = 4_096
"""Bytes read of the marker of a state directory: it has fifty."""

# --- the courier's spool ------------------------------------------------------------------------------------------

SPOOL_BYTES_MAX: Final = 67_108_864
"""The whole spool: some 40,000 alerts, which is weeks without a server; past it the gate keeps its own and counts."""

SPOOL_RESERVED_BYTES: Final = 16_777_216
"""What is kept of the spool for detections: when less is left, skipped files and events are counted, not stored."""

SPOOL_SEGMENT_BYTES: Final = 1_048_576
"""When a segment is closed: how much is read at once, and how soon delivered records give their space back."""

SPOOL_GATES_MAX: Final = 64
"""Lives of gates whose place is remembered; older ones are long dead."""

COURIER_FINDINGS_MAX: Final = 512
"""Findings that wait for a sighting: one comes at once, or when a cached verdict is used again."""

COURIER_FINDINGS_LIFE_MS: Final = 900_000
"""How long findings wait: what is used of a cached verdict later than this names its worst rule alone."""

COURIER_TABLES_MAX: Final = 4
"""Rule tables that are kept: the release in use, the one before, and two in trial."""

COURIER_BATCH_FRAMES_MAX: Final = 256
"""Frames read at one turn and made durable by one sync."""

COURIER_APPEND_RETRY_MS: Final = 1_000
"""How long the courier waits before it tries a full disk again."""

COURIER_BACKOFF_MS: Final = 500
"""Wait after a first failure to deliver; doubles with each further one, with jitter."""

COURIER_BACKOFF_MS_MAX: Final = 300_000
"""Longest wait between tries: a server that is back is found within five minutes, and not stormed by its fleet."""

COURIER_DOUBLINGS_MAX: Final = 20
"""How often a wait doubles before it stops to: far past the longest wait, and the numbers stay small."""

COURIER_CREDENTIAL_RETRY_MS: Final = 900_000
"""Wait after the server refused the credential: only a person can mend that, but perhaps on the server's side."""

UPLINK_TIMEOUT_S: Final = 15
"""Longest silence of the server within one exchange."""

ARCHIVE_GAPS_MAX: Final = 16
"""Places in one archive that a report names as not looked into; all of them count, these are shown."""

# --- scanning on demand -----------------------------------------------------------------------------------------

DEMAND_DEADLINE_MS: Final = 120_000
"""Longest time for one file on demand, before its worker is killed: a large archive takes some ten seconds."""

DEMAND_DEADLINE_MS_PER_MIB: Final = 250
"""What each MiB of a file adds to `DEMAND_DEADLINE_MS`: 4 MiB/s, a slow disk."""

DEMAND_PENDING_MAX: Final = 2
"""Files that one worker holds: the next one waits in its socket, so that it never waits for the command."""

DEMAND_START_MS: Final = 120_000
"""Longest time in which a worker loads its release: 16,000 rules on a busy machine."""

DEMAND_KILL_MS: Final = 2_000
"""Longest wait for a killed worker to be gone: one that waits in the kernel for a dead disk stays for ever."""

DEMAND_LOOK_MS: Final = 250
"""How often the command looks at its workers' deadlines while no answer comes."""

DEMAND_WORKERS_MAX: Final = 64
"""Workers of one command; each holds its own copy of the compiled rules."""

DEMAND_TEXT_BYTES_MAX: Final = 240
"""Longest text of a rule in a result: sixteen rules with seven texts each fit into one frame."""

UPLINK_REFUSALS_MAX: Final = 8
"""How often one record may be refused as malformed, with growing waits, before it becomes a gap: a server that refuses
everything for an hour costs one or two records, a record that no server takes does not stop the rest."""

WARDEN_DEATHS_MAX: Final = 10
"""Deaths of the warden that `ringfence up` answers with a new one; past them it gives up, with the host free."""

SERVER_READY_MS: Final = 30_000
"""Longest start or end of the embedded control plane: migrations of a full database included."""

SERVER_STOP_MS: Final = 10_000
"""How long the embedded control plane may take to end in order; past it it is killed, and its journal makes good."""

SERVER_RESTART_MS: Final = 500
"""First pause before `ringfence up` starts a control plane that ended; it doubles up to `SERVER_RESTART_MS_MAX`."""

SERVER_RESTART_MS_MAX: Final = 60_000
"""Longest pause before the next try: a full disk or a taken port costs one start a minute, and is noticed when it is
mended."""

UPLINK_EXCHANGE_MS: Final = 60_000
"""Longest exchange as a whole: a server that answers byte by byte does not hold the courier's one place for ever."""

ALERTS_FOLLOW_MS: Final = 1_000
"""How often `ringfence alerts --follow` looks for new ones: a person sees them at once, the database hardly notices."""

# --- small things that are read or repeated -----------------------------------------------------------------------

FAILURE_BYTES_MAX: Final = 8_192
"""Text of a process that cannot start: a code, what happened and the way out, with room for a rule's error."""

PROC_STAT_BYTES_MAX: Final = 4_096
"""`/proc/PID/stat` is one line of a few hundred bytes; the kernel gives no more than a page at once."""

LATE_ANSWERS_MAX: Final = 4
"""Answers to questions that were given up, read away before a scanner counts as confused."""

BIND_LINE_BYTES_MAX: Final = 4_096
"""An entry of the list of bind mounts is a path, and a path is never longer for the kernel."""

AUDIT_PREFIX_CHARACTERS_MAX: Final = 128
"""What a person filters the audit log by: longer than every action and every name of ours."""

HOST_CURSOR_CHARACTERS_MAX: Final = 1_024
"""Where a page of hosts begins: a host's name and identifier, with room for the escapes of an address."""

# --- activation of releases ---------------------------------------------------------------------------------------

GOOD_RELEASES_MAX: Final = 4
"""Releases that a host can go back to, the packaged one included: two that turn bad after their soak leave a third."""

RELEASE_DEATHS_MAX: Final = 3
"""Deaths of a good release's engine (and ends of the host that nobody ordered) before it is refused: one is chance, two
happen on a bad day, the third in `FORGIVE_STEPS` x `FORGIVE_STEP_MS` is a pattern."""

TRIAL_STARTS_MAX: Final = 2
"""Starts of one trial: a loss of power or a hostile file does not refuse a release, and a second end does.  Not above
`RELEASE_DEATHS_MAX`, so that a trial never costs a host more than a good release may."""

HOUR_MS: Final = 3_600_000
"""What people count the longer ones of these times in: no bound, a unit."""

FORGIVE_STEP_MS: Final = 3_600_000
"""Calm that is written down as one step: at most an hour of it is lost with a restart, and the disk is written once."""

FORGIVE_STEPS: Final = 6
"""Steps of calm that forgive one death: a host that is switched off every evening forgives, a release that kills every
other hour is refused on the same day."""

STEADY_MS: Final = 120_000
"""How long a good release has to answer before an end of the host is no longer held against it: twice what the boot
guard asks of a healthy boot.  It has lived through a whole soak once; from then on a cut of the power is likelier."""

REFUSED_RELEASES_MAX: Final = 64
"""Refusals that a host remembers one by one: months of nothing but bad releases.  Past it the oldest becomes a rank."""

SHADOW_MS_MIN: Final = 60_000
"""Shortest shadow: timers, log rotation and the next cron minute happen within it."""

SHADOW_MS_MAX: Final = 3_600_000
"""Longest shadow: a host that cannot compare `SHADOW_QUESTIONS_MIN` files in an hour, replays included, proves nothing
today; the trial ends without a result."""

SHADOW_QUESTIONS_MIN: Final = 200
"""Comparisons that a shadow needs, live and replayed: a rule that refuses one file in a hundred shows nearly
surely."""

SHADOW_KNOWN_FILES_MAX: Final = 1
"""Files that the host has had for long and that a candidate may newly refuse: one may be an old infection, found at
last."""

SHADOW_NEW_FILES_MAX: Final = 16
"""Files of any kind that a candidate may newly refuse: an infection leaves a handful, a bad rule hits hundreds."""

SHADOW_DEATHS_MAX: Final = 2
"""Scanners that may die with a candidate and not with the good release: a hostile file can do it, three are a
pattern."""

SHADOW_TIMEOUTS_FREE_FILES: Final = 2
"""Files that may run into the deadline with the candidate alone before their share is looked at: a busy moment."""

SHADOW_TIMEOUTS_MAX_PERCENT: Final = 1
"""Comparisons in a hundred that may run into the deadline with the candidate and not with the good release."""

SHADOW_TIME_RATIO_MAX: Final = 4
"""Time of the candidate over time of the good release for the same files.  Twice the rules cost twice as much; a
runaway pattern costs a hundred times."""

SHADOW_TIME_FREE_MS: Final = 2_000
"""Time of a candidate below which the ratio says nothing: first scans warm the caches."""

SHADOW_ASIDE_MS: Final = 21_600_000
"""Pause before a release whose trial ended without a result is tried again in the same life of the warden: a quiet host
does not compile all day."""

SOAK_MS: Final = 600_000
"""How long a release runs before it is good: services restart, timers fire, somebody logs in."""

ACTIVATION_TICK_MS_MAX: Final = 5_000
"""Longest time that one look at the clock may count: the warden looks five times a second, so a clock that jumps ahead,
or a machine that slept, is not taken for calm."""

PERSIST_RETRY_MS: Final = 5_000
"""Pause before a record that could not be written is written again: room on a full disk does not come sooner."""

ACTIVATION_TEXT_CHARACTERS_MAX: Final = 240
"""Text of a refusal, pin or hold: a rule's error or a person's reason in one line."""

# --- keys and signed metadata -------------------------------------------------------------------------------------

KEY_FILE_BYTES_MAX: Final = 16_384
"""A key file: a public key of at most a kilobyte, and its sealed secret."""

KEY_OWNER_CHARACTERS_MAX: Final = 64
"""Who holds a key, as `keys show` prints it."""

KEY_URI_CHARACTERS_MAX: Final = 1_024
"""Where a key's secret is: the longest are names of keys in a cloud's key service."""

KEY_PUBLIC_BYTES_MAX: Final = 2_048
"""A public key: RSA of 8192 bits has 1,050 bytes."""

KEY_PASSPHRASE_CHARACTERS_MIN: Final = 12
"""Shortest passphrase of a new key: with scrypt in front, years of guessing."""

KEY_PASSPHRASE_BYTES_MAX: Final = 1_024
"""Longest passphrase that is read from a file."""

KEY_SCRYPT_RATIO: Final = 131_072
"""scrypt's cost N of a new key file: 128 MiB and half a second for each guess."""

KEY_SCRYPT_RATIO_MIN: Final = 16_384
"""Least cost that a key file may say: below it, sealing is decoration."""

KEY_SCRYPT_RATIO_MAX: Final = 262_144
"""Greatest cost that a key file may say: 256 MiB, so that a hostile file cannot take the machine's memory."""

KEYS_PER_ROLE_MAX: Final = 16
"""Keys of one role: more people than ever meet for a ceremony."""

METADATA_ROOT_BYTES_MAX: Final = 262_144
"""Root metadata: six roles with every key at its bound."""

METADATA_TIMESTAMP_BYTES_MAX: Final = 16_384
"""Timestamp metadata: one entry and its signatures."""

METADATA_SNAPSHOT_BYTES_MAX: Final = 65_536
"""Snapshot metadata: three entries and its signatures."""

METADATA_TARGETS_BYTES_MAX: Final = 2_097_152
"""Targets metadata: `SIGNED_RELEASES_RECORDS_MAX` releases and their patches take a tenth."""

METADATA_ROLLOUT_BYTES_MAX: Final = 262_144
"""A rollout document: one channel's releases with their waves."""

SIGNED_RELEASES_RECORDS_MAX: Final = 64
"""Releases in `content` metadata; past it the oldest leaves: two months of daily releases, and no host needs more."""

ROOT_LIFE_DAYS: Final = 365
"""Life of root and of the top-level targets: a ceremony a year, with people who meet for it."""

CONTENT_LIFE_DAYS: Final = 90
"""Life of content metadata: each release renews it; a season without one is a fleet that is not looked after."""

ROLLOUT_LIFE_DAYS: Final = 7
"""Life of rollout metadata: a stolen online key is worth a week at the most after its revocation."""

SNAPSHOT_LIFE_DAYS: Final = 7
"""Life of snapshot metadata, which the server renews by itself."""

TIMESTAMP_LIFE_DAYS: Final = 3
"""Life of a timestamp: how long a freeze can stay unnoticed.  A weekend without the server makes no host stale."""

ROOT_WARNING_DAYS: Final = 60
"""When people are told that root must be renewed: two months find everybody at least once."""

CONTENT_WARNING_DAYS: Final = 30
"""When people are told that content must be renewed."""

ONLINE_WARNING_DAYS: Final = 1
"""When people are told that the server has not renewed what it renews each day: it is broken."""

ACTIVATION_RECORD_BYTES_MAX: Final = 131_072
"""The record of activation: all refusals at their bound, each character in four bytes, take half of it."""

# --- fetching what is signed --------------------------------------------------------------------------------------

METADATA_ROTATIONS_FILES_MAX: Final = 256
"""Root files that one refresh follows: a rotation each month for twenty years offline."""

METADATA_DELEGATIONS_KEYS_MAX: Final = 8
"""Roles that one search for a target visits; there are three."""

SIGNED_PATCHES_RECORDS_MAX: Final = 8
"""Older releases from which a patch to the new one is made: a host that was off for a week still gets one."""

FETCH_PIECE_BYTES: Final = 57_344
"""Bytes of one piece between courier and updater: as much as fits into a frame beside its head."""

FETCH_SILENCE_S: Final = 30
"""Longest wait for the next piece of a file."""

FETCH_WHOLE_S: Final = 30
"""Longest time for one file of any size, before its length adds to it: a slow connection and a slow server."""

FETCH_SECONDS_PER_MIB: Final = 64
"""What each MiB of a file's greatest length adds to `FETCH_WHOLE_S`: 16 KiB/s, below it somebody holds it back."""

FETCH_PATH_BYTES_MAX: Final = 512
"""Longest name of a file of the repository: a prefix of 64, a patch's two digests, and some room."""

PATCH_BYTES_MAX: Final = 16_777_216
"""A patch: past a quarter of the largest release the whole file is as good."""

# --- publishing ---------------------------------------------------------------------------------------------------

PUBLISH_LOCK_MS: Final = 60_000
"""How long a publisher waits for another: the largest release is copied and looked at in less."""

PUBLISH_LOCK_LOOK_MS: Final = 50
"""How often a waiting publisher looks whether the other is done."""

UPDATE_MEMORY_BYTES_MAX: Final = 4_096
"""What the update client remembers: six roles of a hundred bytes."""

UPDATE_MEMORY_ENTRIES_MAX: Final = 16
"""Roles that the update client remembers; there are six."""

# --- the boot guard -----------------------------------------------------------------------------------------------

BOOTS_FAILED_MAX: Final = 2
"""Boots in a row that end without order, before they are healthy, after which the sensor gets less say: one is a loss
of power, the second in a row a pattern."""

BOOTS_SHORT_MAX: Final = 5
"""The same for boots that end soon, in whatever way: a person who sets a machine up reboots it two or three times in
a row, and a program that reboots it for its health goes on for ever."""

BOOT_SETTLE_S: Final = 60
"""How long the machine must be up, and the sensor must answer, before the boot is healthy: what is started with the
default target has failed by then, or has not."""

BOOT_SHORT_S: Final = 900
"""A boot that lasts longer is not short: somebody who could not use the machine would not wait a quarter of an hour."""

BOOT_OVERDUE_S: Final = 600
"""How long a boot may take to its default target before the level is lowered: a slow file system check included."""

BOOT_HISTORY_ENTRIES_MAX: Final = 32
"""Boots whose outcome is remembered for people: more than the ladder has steps."""

BOOT_LOOK_MS: Final = 2_000
"""How often the boot guard looks whether the machine is up: each look starts a program."""

RESCUED_KEPT_ENTRIES_MAX: Final = 99
"""Things of one name that `ringfence rescue` has taken away and keeps: nobody repairs one disk more often."""

BOOT_GUARD_START_S: Final = 90
"""Longest run of the boot guard before the sensor starts without its word, carefully.  It takes milliseconds, but on a
machine that is starved at boot an interpreter alone takes seconds, and nobody else waits for it."""

# --- looking for updates ------------------------------------------------------------------------------------------

UPDATE_INTERVAL_MS: Final = 900_000
"""Between two looks, with jitter down to half of it: a fix is on its way within a quarter of an hour."""

UPDATE_FIRST_LOOK_MS: Final = 60_000
"""Latest first look after a start: a machine that has just booted has better things to do, and a fleet that lost its
power does not come at once."""

UPDATE_RETRY_MS: Final = 30_000
"""First pause after a look that nobody answered; it doubles up to the interval."""

UPDATE_REOFFER_MS: Final = 3_600_000
"""How long a release that was put off (a hold, a trial that proved nothing) is not fetched again."""

UPDATE_LOOK_MS_MAX: Final = 5_400_000
"""Longest look: the largest release at the slowest speed that is not an attack, and some more."""

UPDATE_STALE_AHEAD_S: Final = 86_400
"""How long before its metadata expires a host says so: the server renews it two days before that."""

SECONDS_PER_HOUR: Final = 3_600
"""An hour, for what people read."""

UPDATER_ADDRESS_SPACE_BYTES_MAX: Final = 4_294_967_296
"""RLIMIT_AS of an updater: two tars at their bound, a release, and zstd's tables at the author's level."""

# --- trying a release beside the active one -------------------------------------------------------------------------

RELEASE_STORE_BYTES_MAX: Final = 268_435_456
"""All releases that a host keeps: four of the largest, and the disk of a small machine does not notice real ones."""

RELEASES_KEPT_MAX: Final = 8
"""Files in the store of releases: the chain of good ones, the candidate, and what is about to be removed."""

SHADOW_FILES_MAX: Final = 8_192
"""Distinct files that one trial compares: past it there is nothing to learn, and its memory is a megabyte."""

SHADOW_QUEUE_FILES_MAX: Final = 256
"""Live questions that wait to be compared, each with an open descriptor; past it they are dropped and counted."""

SHADOW_RECENT_FILES_MAX: Final = 1_024
"""Paths of files scanned lately that a trial replays: more than the least that a trial needs, some 200 KiB."""

SHADOW_RECENT_EVERY_FILES: Final = 16
"""Once so many paths are known, one scan in so many adds its own: finding the path costs two microseconds."""

SHADOW_LOOK_MS: Final = 250
"""How often somebody who waits for a scanner of the shadow looks whether it burns its time or the trial is over."""

SHADOW_POLL_MS: Final = 50
"""Pause between two files of the walk through the protected places: twenty a second disturb no disk."""

SHADOW_SCAN_MS_MAX: Final = 20_000
"""Longest wait for one idle scan of the shadow: past it, without processor time used, nothing is known of the file."""

SHADOW_END_MS: Final = 2_000
"""How long the zygote's word about a dead scanner is waited for: it looks twice a second."""

SHADOW_LONG_KNOWN_MS: Final = 24 * 3_600_000
"""A file that has not changed for a day before a trial is long known: the host has lived with it, it is no newcomer."""

SHADOW_PATH_BYTES_MAX: Final = 256
"""Of the path of the worst new block, for the report."""

SCANNER_LOOK_MS: Final = 250
"""How often the gate looks at its scanners' processor time, to tell one that burns it from one that was stopped."""

SCANNER_BURNT_MS: Final = 500
"""Processor time within a question's deadline at which a late scanner has hung by itself: more than twice what an
honest scan takes, little enough to be reached where four others want the processor as well."""

MUTE_FILES_MIN: Final = 4
"""Files on which a release must have been silent before it counts as mute, and never fewer than one more than there are
scanners: one round of questions, which a single program can have asked, is not enough."""

MUTE_MS: Final = 25
"""Processor time, beside `RELEASE_SCAN_US_PER_MIB_MAX`, that a scanner has for a file before its silence counts: ten
times what it takes for a small one, and reached in a question's time even where forty want the processor."""

SCANNERS_ENDED_PROCESSES_MAX: Final = 64
"""Scanners whose end is remembered until somebody has asked: one for each place, several times over."""

FAULTS_WAITING_FILES_MAX: Final = 256
"""Failed scans that wait to be looked into; the oldest is forgotten: what matters is a handful."""

REPLAY_DIRECTORIES_FILES_MAX: Final = 65_536
"""Directories that wait to be walked through; past it the rest of a huge tree is left out."""

RELEASE_FAULT_FILES_FREE: Final = 1
"""Long-known files on which scanners of a release may fail before each further one counts as a death of its engine: a
file that hurts every engine is no release's fault, and two of them are rare."""

LOAD_LOOK_MS: Final = 200
"""How often `ringfence host load --wait` looks what has become of a release: as often as the warden itself looks."""

ACTIVATION_ANSWER_BYTES_MAX: Final = 49_152
"""Of the record in the warden's answer to an operator: it fits into a frame with an error and a shadow's counts."""
