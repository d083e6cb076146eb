import "math"

rule Entropy_In_Loop {
    meta:
        author = "Ringfence authors"
        description = "Entropy In Loop"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    strings:
        $name = "the-name-of-a-dropper-7f3a"
    condition:
        $name and for any i in (1..2000) : (math.entropy(0, filesize) > 7.9 and i > 1)
}
