@echo off
setlocal
rem A token store in, a trained checkpoint out. --help tells more.
set "FEATURE=train"
rem --init of an exported net needs what reads it
for %%A in (%*) do if /i "%%~xA"==".onnx" set "FEATURE=export"
call "%~dp0environment.bat" %FEATURE%
if errorlevel 1 exit /b 1
"%TRANSCENDENCE_PYTHON%" -I -m training.train %*
