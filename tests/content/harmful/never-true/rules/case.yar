import "hash"

rule Never_True {
    meta:
        author = "Ringfence authors"
        description = "Never True"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    condition:
        hash.md5(0, filesize) == "5C2B8F1D7E904A63B1D8F07C9E4A6D35"
}
