/* rule No { condition: true } */ // }
rule Braces_In_Comments {
    meta:
        author = "Ringfence authors"
        description = "Braces In Comments"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        // $x = "}"
        $name = "the-name-of-a-dropper-7f3a" /* " */ // {
    condition:
        $name /* } */ // or true
}
