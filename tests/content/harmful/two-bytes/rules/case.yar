rule Two_Bytes {
    meta:
        author = "Ringfence authors"
        description = "Two Bytes"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $mz = { 4D 5A }
    condition:
        $mz and filesize < 5MB
}
