import "hash"

rule Digest_In_Loop {
    meta:
        author = "Ringfence authors"
        description = "Digest In Loop"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
    condition:
        $name and for any i in (1..2000) : (hash.md5(i, filesize - i) == "5d41402abc4b2a76b9719d911017c592")
}
