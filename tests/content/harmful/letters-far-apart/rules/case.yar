rule Letters_Far_Apart {
    meta:
        author = "Ringfence authors"
        description = "Letters Far Apart"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $a = /a.*b.*c.*d.*e/s
    condition:
        $a
}
