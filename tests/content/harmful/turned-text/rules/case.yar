rule Turned_Text {
    meta:
        author = "Ringfence authors"
        description = "‮ssensmrah‬"
        severity = "high"
        action = "alert"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
    condition:
        $name
}
