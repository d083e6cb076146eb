import "hash"

rule Digest_Of_A_Sample {
    meta:
        author = "Ringfence authors"
        description = "Digest Of A Sample"
        severity = "high"
        action = "block"
        technique = "T1059"
        reference = "https://attack.mitre.org/techniques/T1059/"
        licence = "Apache-2.0"
    condition:
        hash.sha256(0, filesize) == "3aed37043fac3afaa69c36191a63494d5630deb996fc61b437524cddd55326f6"
}
