"""Certificates for the cluster and its users: one CA in a directory, and what it signs."""

import pathlib
import secrets
import subprocess


class Authority:
    def __init__(self, directory, name="cluster CA"):
        self.dir = pathlib.Path(directory)
        self.dir.mkdir(parents=True, exist_ok=True)
        self.ca = self.dir / "ca.pem"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "3", "-subj", f"/CN={name}",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign,digitalSignature", "-keyout", "ca.key", "-out", "ca.pem")

    def _openssl(self, *words, text=None):
        done = subprocess.run(["openssl", *words], cwd=self.dir, input=text, text=True, capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {words[0]}: {done.stderr}")

    def sign(self, name, groups=(), usage="clientAuth", names=(), file=None):
        """(certificate, key) as files. A client's user is `name`, its groups `groups`; a server's are `names`."""
        file = file or name.replace(":", "-").replace("/", "-")
        subject = "".join(f"/O={group}" for group in groups) + f"/CN={name}"
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject, "-keyout", f"{file}.key", "-out", f"{file}.csr")
        alternative = ",".join(("IP:" if each.replace(".", "").isdigit() else "DNS:") + each for each in names)
        extensions = f"basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage={usage}\n"
        if alternative:
            extensions += f"subjectAltName={alternative}\n"
        self._openssl("x509", "-req", "-in", f"{file}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "3", "-set_serial", str(secrets.randbits(62) + 1),
                      "-out", f"{file}.pem", "-extfile", "/dev/stdin", text=extensions)
        (self.dir / f"{file}.csr").unlink()
        return self.dir / f"{file}.pem", self.dir / f"{file}.key"

    def key_pair(self, name):
        """An RSA pair for service account tokens."""
        private, public = self.dir / f"{name}.key", self.dir / f"{name}.pub"
        self._openssl("genrsa", "-out", str(private), "2048")
        self._openssl("rsa", "-in", str(private), "-pubout", "-out", str(public))
        return private, public
