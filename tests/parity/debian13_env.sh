# Sourced by scripts of this folder. `install_torch_2 FOLDER` puts a PyTorch whose ONNX exporters are both there, torch.jit's and
# dynamo's, into FOLDER, with torchvision and onnx; `torch_2_python` runs it, with the packages of FOLDER/packages.
#
# On Debian it is the PyTorch 2.6 of Debian 13, unpacked with its own C library and not installed, since PyPI has PyTorch for
# x86-64 with CUDA only, which is ten times as large; elsewhere PyPI's.

install_torch_2() {
    torch_2=$1
    [ ! -e "$torch_2/done" ] || return 0
    local keys=/usr/share/keyrings/debian-archive-keyring.gpg
    rm -rf "$torch_2"
    mkdir -p "$torch_2/packages"
    if [ -e $keys ] && command -v apt-get > /dev/null; then
        (
            cd "$torch_2"
            mkdir -p apt/{lists,archives}/partial debs root
            : > apt/status
            echo "deb [signed-by=$keys] http://deb.debian.org/debian trixie main" > apt/sources.list
            printf '%s\n' "Dir::Etc::sourcelist \"$PWD/apt/sources.list\";" 'Dir::Etc::sourceparts "-";' \
                'Dir::Etc::preferencesparts "-";' "Dir::State::lists \"$PWD/apt/lists\";" \
                "Dir::State::status \"$PWD/apt/status\";" "Dir::Cache \"$PWD/apt\";" 'APT::Sandbox::User "";' > apt/apt.conf
            export APT_CONFIG=$PWD/apt/apt.conf
            apt-get -qq update
            wanted=$(apt-get -s install --no-install-recommends python3-torch python3-torchvision python3-onnx |
                awk '/^Inst/{print $2}')
            (cd debs && apt-get download $wanted > /dev/null)
            for package in debs/*.deb; do dpkg -x "$package" root; done
            rm -rf debs apt
        )
    else
        python3 -m venv "$torch_2/venv"
        "$torch_2/venv/bin/python" -m pip install --quiet torch==2.9.1 torchvision==0.24.1 onnx==1.19.1 pillow
    fi
    local to=(--target "$torch_2/packages")
    [ ! -d "$torch_2/root" ] || to+=(--python-version 3.13 --only-binary=:all:)
    python3 -m pip install --quiet --no-cache-dir --no-deps "${to[@]}" transformers==4.51.3 huggingface_hub==0.30.2 \
        tokenizers==0.21.1 safetensors==0.5.3 regex==2024.11.6 onnxscript==0.2.2 ml_dtypes==0.5.1 pyyaml tqdm packaging filelock \
        fsspec requests idna charset-normalizer urllib3 certifi typing_extensions
    touch "$torch_2/done"
}

torch_2_python() {
    local root=$torch_2/root libraries
    if [ -d "$root" ]; then
        libraries=$(ls -d "$root"/usr/lib/*-linux-gnu)
        PYTHONHOME=$root/usr PYTHONPATH=$torch_2/packages "$libraries"/ld-linux-*.so.* \
            --library-path "$libraries:$libraries/blas:$libraries/lapack:$root/usr/lib" "$root/usr/bin/python3.13" "$@"
    else
        PYTHONPATH=$torch_2/packages "$torch_2/venv/bin/python" "$@"
    fi
}
