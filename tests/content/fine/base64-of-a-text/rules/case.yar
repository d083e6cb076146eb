rule Base64_Of_A_Text {
    meta:
        author = "Ringfence authors"
        description = "Base64 Of A Text"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a" base64
    condition:
        $name
}
