# The kernels of the other processor: on x86-64 one test builds base, gguf, kernels and their tests for AArch64, in a build folder of
# its own, and runs the tests of that folder, which are the second part of this file, under an emulator.
if(KYLIN_KERNELS_ONLY)
    if(CMAKE_CROSSCOMPILING)
        # QEMU's own choice, said aloud: a CPU with everything that it can emulate.
        set_tests_properties(kernels PROPERTIES ENVIRONMENT "QEMU_CPU=max;KYLIN_EXPECTED_KERNELS=neon_i8mm")
        # A CPU of an earlier version dies of an instruction of a later one. What stays out is slow and has no part in the choice of a table.
        function(kylin_older_cpu version cpu kernels)
            add_test(NAME kernels_${version} COMMAND test_kernels --gtest_filter=Dispatch.*:PackedMatrix.*:Isa/Quantize.*:Tables/Rows.*)
            set_tests_properties(kernels_${version} PROPERTIES ENVIRONMENT "QEMU_CPU=${cpu};KYLIN_EXPECTED_KERNELS=${kernels}")
        endfunction()
        kylin_older_cpu(armv8.0 cortex-a53 scalar)
        kylin_older_cpu(armv8.2 cortex-a76 neon)
    endif()
    kylin_isa_leak(${CMAKE_SYSTEM_PROCESSOR})
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" AND NOT KYLIN_SANITIZE)
    add_test(NAME aarch64 COMMAND ${CMAKE_CTEST_COMMAND}
        --build-and-test ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/aarch64 --build-generator Ninja --build-noclean
        --build-options -DCMAKE_TOOLCHAIN_FILE=${CMAKE_CURRENT_SOURCE_DIR}/cross/aarch64_toolchain.cmake -DCMAKE_BUILD_TYPE=Release
            -DKYLIN_KERNELS_ONLY=ON -DKYLIN_WERROR=${KYLIN_WERROR}
        --test-command ${CMAKE_CTEST_COMMAND} --output-on-failure --no-tests=error)
    set_tests_properties(aarch64 PROPERTIES LABELS unit)
endif()
