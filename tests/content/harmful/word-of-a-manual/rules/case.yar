rule Word_Of_A_Manual {
    meta:
        author = "Ringfence authors"
        description = "Word Of A Manual"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $a = "chmod"
    condition:
        $a
}
