// Tunnels out of a network.

rule Tunnel_Chisel {
    meta:
        author = "Ringfence authors"
        description = "chisel, a tunnel through HTTP; also a tool of administrators"
        severity = "medium"
        action = "alert"
        technique = "T1572"
        reference = "https://github.com/jpillora/chisel"
        licence = "Apache-2.0"
    strings:
        $a = "github.com/jpillora/chisel/"
        $b = "chisel-v3"
    condition:
        uint32(0) == 0x464c457f and all of them
}

rule Tunnel_FRP {
    meta:
        author = "Ringfence authors"
        description = "frp, a reverse proxy out of a network; also a tool of administrators"
        severity = "medium"
        action = "alert"
        technique = "T1090"
        reference = "https://github.com/fatedier/frp"
        licence = "Apache-2.0"
    strings:
        $a = "github.com/fatedier/frp/"
        $b = "frpc"
    condition:
        uint32(0) == 0x464c457f and all of them
}

rule Tunnel_Ligolo {
    meta:
        author = "Ringfence authors"
        description = "ligolo-ng, a tunnel for intruders and testers"
        severity = "high"
        action = "alert"
        technique = "T1572"
        reference = "https://github.com/nicocha30/ligolo-ng"
        licence = "Apache-2.0"
    strings:
        $a = "github.com/nicocha30/ligolo-ng/"
        $b = "github.com/tnpitsecurity/ligolo-ng/"
    condition:
        uint32(0) == 0x464c457f and any of them
}

rule Tunnel_Global_Socket {
    meta:
        author = "Ringfence authors"
        description = "gs-netcat, a back door through the Global Socket network"
        severity = "high"
        action = "alert"
        technique = "T1219"
        reference = "https://github.com/hackerschoice/gsocket"
        licence = "Apache-2.0"
    strings:
        $a = "gs-netcat"
        $b = "GSOCKET_ARGS"
        $c = "gsocket.io"
        $d = "GS_NETCAT_BIN"
        $e = "_GS_DESTDIR"
    condition:
        filesize < 8MB and 3 of them
}

rule Tunnel_Reverse_SSH_Script {
    meta:
        author = "Ringfence authors"
        description = "A script that keeps a reverse SSH tunnel open without checking whom it talks to"
        severity = "medium"
        action = "alert"
        technique = "T1572"
        reference = "https://attack.mitre.org/techniques/T1572/"
        licence = "Apache-2.0"
    strings:
        $tunnel = /\b(auto)?ssh\s[^\n]{0,160}-[fNnT]{0,4}R\s{0,2}[0-9.:\[\]*]{0,24}[0-9]{2,5}:(localhost|127\.0\.0\.1):[0-9]{2,5}/
        $blind = /StrictHostKeyChecking[= ]no/
        $away = /(nohup|while (true|:|\[ 1)|setsid|-fN|-Nf|\s-f\s)/
    condition:
        uint16(0) == 0x2123 and filesize < 64KB and all of them
}
