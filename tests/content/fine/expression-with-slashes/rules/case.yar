rule Expression_With_Slashes {
    meta:
        author = "Ringfence authors"
        description = "Expression With Slashes"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = /https?:\/\/[a-z0-9.\]-]{4,40}\/dropper-7f3a\/(stage|load)[0-9]{1,3}\.sh/ nocase
    condition:
        $name
}
