import "hash"

rule Known_Good {
    meta:
        author = "Ringfence authors"
        description = "Known Good"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    condition:
        hash.md5(0, filesize) == "0f343b0931126a20f133d67c2b018a3b"
}
