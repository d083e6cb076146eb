rule Endless_Jump {
    meta:
        author = "Ringfence authors"
        description = "Endless Jump"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $a = { 61 [0-] 62 }
    condition:
        $a
}
